"""Lines of rules: points a step apart, of the rows of a report by time. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sidegate.protocol.report_messages import ReportRow

    Point = tuple[float, int, int]

FINE_NODES: Final = 10  # up to so many a line is of 600 seconds from each: 3 ms to put together
FINE: Final = 600  # seconds of a report by the second
COARSE: Final = 660  # by the minute: ten that are whole, and the present one
STEP: Final = 10  # seconds between two points of a fine line, of a coarse one a minute


def window_of(nodes: int) -> tuple[int, int]:
    """Return for how many seconds to ask so many nodes, and the step of the line."""
    return (FINE, STEP) if nodes <= FINE_NODES else (COARSE, 60)


def points_of(rows: Iterable[ReportRow], now: float, step: int) -> list[Point]:
    """Return when each step began, and what was allowed and denied in it, the oldest first.

    The oldest is whole: seconds of a step whose beginning isn't there are left out.
    """
    rows = list(rows)
    cell = 1 if step < 60 else 60
    newest = int(now) // cell * cell
    oldest = newest - max((int(age) for age, _, _ in rows), default=0)
    sums: dict[int, list[int]] = {}
    for age, _, (allowed, denied, *_) in rows:
        began = (newest - int(age)) // step * step
        if began < oldest:
            continue
        found = sums.setdefault(began, [0, 0])
        found[0] += allowed
        found[1] += denied
    return [(began, allowed, denied) for began, (allowed, denied) in sorted(sums.items())]
