"""Row bytes: how much memory rows take, with the limits that several of them have. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sidegate.buckets.limits import Limits
    from sidegate.reservations.held_row import HeldRow

ROW_BYTES: Final = 600  # of a row without its texts, in a table of CPython 3.11, rounded up
LIMIT_BYTES: Final = 1_000  # of each limit, of which some are two; measured 470 to 900


class RowBytes:
    """The rows of a table: those that have the same limits share one copy, which counts once."""

    def __init__(self) -> None:
        self.total = 0
        self._shared: dict[str, tuple[Limits, int]] = {}  # by text, and how many rows have them

    def with_one_more(self, row: HeldRow) -> int:
        """Return what it would be with that one."""
        is_known = row.limits.asked in self._shared
        return self.total + _of_row(row) + (0 if is_known else _of_limits(row.limits))

    def add(self, row: HeldRow) -> None:
        """Count one, and have it share its limits."""
        self.total = self.with_one_more(row)
        limits, rows = self._shared.get(row.limits.asked, (row.limits, 0))
        self._shared[limits.asked] = limits, rows + 1
        row.limits = limits

    def remove(self, row: HeldRow) -> None:
        """Count one less."""
        limits, rows = self._shared[row.limits.asked]
        self.total -= _of_row(row)
        if rows > 1:
            self._shared[limits.asked] = limits, rows - 1
        else:
            del self._shared[limits.asked]
            self.total -= _of_limits(limits)


def _of_row(row: HeldRow) -> int:
    return ROW_BYTES + _of_text(row.key) + _of_text(row.name)


def _of_text(text: str) -> int:
    return len(text) if text.isascii() else 4 * len(text)


def _of_limits(limits: Limits) -> int:
    return LIMIT_BYTES * len(limits)
