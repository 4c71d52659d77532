"""The tables of ours beside other limiters that are servers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.contenders.echo import ECHO
from bench.peers.contenders import OURS
from bench.peers.parts import (
    clusters,
    peer_decisions,
    peer_memory,
    peer_web,
)
from bench.tables import cell, new_table, over, percent, written

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.table import Table

    from bench.peers.scene import Scene
    from bench.results import Results


def peer_tables(results: Results, titled: str) -> Iterator[Table]:
    """Give the tables of what was measured; `titled` says of how many rounds."""
    if results.contenders(peer_decisions.PART):
        yield _by_setting(results, "rate", f"Decisions/s, {titled} (x: {OURS} is so much faster)")
        title = f"p50 latency in µs, {titled} (x: so many times that of the echo)"
        yield _by_setting(results, "p50", title)
        yield _cpu(results, f"s of CPU for 100,000 decisions, client + servers, {titled}")
    if results.contenders(peer_web.PART):
        yield _web(results)
    if results.contenders(peer_memory.PART):
        yield _memory(results)
    measured = results.settings(clusters.PART)
    yield from (_scene(results, it) for it in clusters.SCENES if it.title in measured)


def _by_setting(results: Results, value: str, title: str) -> Table:
    part = peer_decisions.PART
    table = new_table(title, *results.settings(part))
    for contender in results.contenders(part):
        cells: list[str] = []
        for setting in results.settings(part):
            figure = results.median(part, contender, setting, value)
            if value == "rate":
                ratio = over(results.median(part, OURS, setting, value), figure)
            else:
                ratio = over(figure, results.median(part, ECHO, setting, value))
            cells.append(cell(figure, ratio))
        table.add_row(contender, *cells)
    return table


def _cpu(results: Results, title: str) -> Table:
    part = peer_decisions.PART
    table = new_table(title, *results.settings(part))
    for contender in results.contenders(part):
        cells = [
            " + ".join(
                written(results.median(part, contender, setting, value), 2)
                for value in ("client_cpu", "server_cpu")
            )
            for setting in results.settings(part)
        ]
        table.add_row(contender, *cells)
    return table


def _web(results: Results) -> Table:
    part, setting = peer_web.PART, peer_web.SETTING
    table = new_table(setting, "requests/s", "of bare", "p99 µs", "CPU µs", "left of a core")
    for contender in results.contenders(part):
        figure = {
            value: results.median(part, contender, setting, value)
            for value in ("rate", "kept", "p99", "cpu", "left")
        }
        table.add_row(
            contender,
            written(figure["rate"]),
            percent(figure["kept"]),
            written(figure["p99"]),
            written(figure["cpu"]),
            percent(figure["left"]),
        )
    return table


def _memory(results: Results) -> Table:
    (setting,) = results.settings(peer_memory.PART)
    table = new_table(f"RSS bytes per key at {setting}", "bytes")
    for contender in results.contenders(peer_memory.PART):
        table.add_row(
            contender,
            written(results.median(peer_memory.PART, contender, setting, "bytes_per_key")),
        )
    return table


def _scene(results: Results, scene: Scene) -> Table:
    part = clusters.PART
    table = new_table(f"Three nodes: {scene.title}", *scene.columns.values())
    for contender in results.contenders(part):
        figures = (results.median(part, contender, scene.title, value) for value in scene.columns)
        table.add_row(contender, *(written(it, 1) for it in figures))
    return table
