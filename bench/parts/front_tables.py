"""The tables of the part about the front in code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.parts import front
from bench.tables import new_table, percent, written

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.table import Table

    from bench.results import Results


def front_tables(results: Results) -> Iterator[Table]:
    """Give the tables of what was measured."""
    for framework in (front.FASTAPI, front.FLASK):
        if results.contenders(framework):
            yield _apps(results, framework)
    if results.contenders(front.CHECKS):
        yield _checks(results)


def _apps(results: Results, part: str) -> Table:
    columns = ("requests/s", "of bare", "CPU µs each", "left of a core")
    title = f"{part} under {front.SETTING}, medians of {results.rounds(part)} slices in turn"
    table = new_table(title, *columns)
    for name in results.contenders(part):
        rate, kept, cpu, left = (
            results.median(part, name, front.SETTING, value)
            for value in ("rate", "kept", "cpu", "left")
        )
        table.add_row(name, written(rate), percent(kept), written(cpu, 1), percent(left))
    return table


def _checks(results: Results) -> Table:
    part, (setting,) = front.CHECKS, results.settings(front.CHECKS)
    table = new_table(f"Limits on one check, {setting} in flight", "checks/s", "CPU µs", "times")
    for name in results.contenders(part):
        rate, cpu, times = (
            results.median(part, name, setting, value) for value in ("rate", "cpu", "times")
        )
        table.add_row(name, written(rate), written(cpu, 2), written(times, 2))
    return table
