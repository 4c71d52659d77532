"""The tables of the part about a cluster that lives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.cluster import failover, handover, loss, roll
from bench.tables import cell, new_table, over, written

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.table import Table

    from bench.results import Results


def cluster_tables(results: Results, titled: str) -> Iterator[Table]:
    """Give the tables of what was measured; `titled` says of how many rounds."""
    for setting in results.settings(handover.PART):
        table = _stretches(
            results,
            handover.PART,
            setting,
            f"Checks while {setting} are handed over, {titled} (x: so many times that before)",
        )
        missing, wrong = (
            results.most(handover.PART, handover.MEANWHILE, setting, value)
            for value in ("missing", "wrong")
        )
        yield _with_caption(table, f"keys missing: {written(missing)}, wrong: {written(wrong)}")
    for setting in results.settings(roll.PART):
        table = _stretches(
            results,
            roll.PART,
            setting,
            f"Checks while a cluster is rolled ({setting}), {titled} (x: so many times that "
            "before)",
        )
        worst = results.most(roll.PART, roll.DURING, setting, "too_many")
        yield _with_caption(table, f"worst key: {written(worst, 2)} % of its limit too many")
    for setting in results.settings(failover.PART):
        yield _failover(results, setting)
    if results.rounds(loss.PART):
        yield _loss(results)


def _with_caption(table: Table, caption: str) -> Table:
    table.caption, table.caption_justify = caption, "left"
    return table


def _stretches(results: Results, part: str, setting: str, title: str) -> Table:
    columns = ("s", "checks/s", "p50 µs", "p99 µs", "most µs", "open, closed", "errors")
    table = new_table(title, *columns)
    first, *_ = results.contenders(part)
    for name in results.contenders(part):
        figure = {
            value: results.median(part, name, setting, value)
            for value in ("seconds", "rate", "p50", "p99", "most")
        }
        slower = {
            value: over(figure[value], results.median(part, first, setting, value))
            for value in ("p50", "p99")
        }
        wrong = (results.most(part, name, setting, value) for value in ("undecided", "errors"))
        table.add_row(
            name,
            written(figure["seconds"], 2),
            written(figure["rate"]),
            cell(figure["p50"], slower["p50"]),
            cell(figure["p99"], slower["p99"]),
            written(figure["most"]),
            *map(written, wrong),
        )
    return table


def _failover(results: Results, setting: str) -> Table:
    part = failover.PART
    title = f"Failover, {setting}: medians of {results.rounds(part)} kills"
    table = new_table(title, "ms", "most ms", "open, closed", "errors")
    for name in results.contenders(part):
        table.add_row(
            name,
            written(results.median(part, name, setting, "ms"), 1),
            written(results.most(part, name, setting, "ms"), 1),
            written(results.most(part, name, setting, "undecided")),
            written(results.most(part, name, setting, "errors")),
        )
    return table


def _loss(results: Results) -> Table:
    part = loss.PART
    title = f"Lost of a burst by a kill -9 while it is spent: {results.rounds(part)} kills of each"
    table = new_table(title, "median %", "most %")
    for name in results.contenders(part):
        median, most = (
            of(part, name, loss.SETTING, "lost") for of in (results.median, results.most)
        )
        table.add_row(name, written(median, 1), written(most, 1))
    return table
