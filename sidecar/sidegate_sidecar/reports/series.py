"""Series: sums of the latest seconds, or minutes, by source, in rings of a fixed size. Pure."""

from __future__ import annotations

from array import array
from enum import IntEnum
from itertools import chain
from operator import add
from typing import TYPE_CHECKING, Final

from sidegate.buckets.decision import Source

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAX_VALUE: Final = 2**53 - 1  # what an app says may be anything; JSON in a browser is exact to here
_SOURCES: Final = frozenset(map(str, Source))


class Column(IntEnum):
    """What is summed."""

    ALLOWED = 0
    DENIED = 1
    SHADOWED = 2
    ERRORS = 3
    COST = 4  # tokens charged


COLUMNS: Final = len(Column)
NO_SUMS: Final = (0,) * COLUMNS


def bounded(sums: Iterable[int]) -> list[int]:
    """Return sums as they may be told: none is larger than a message, or a browser, can hold."""
    return [min(it, MAX_VALUE) for it in sums]


class Series:
    """So many cells of `width` ns each. Time that goes back counts as the newest that was seen."""

    __slots__ = ("_cells", "_head", "_width", "columns")

    def __init__(self, cells: int, width: int) -> None:
        self._cells = cells
        self._width = width
        self._head = -cells  # the newest cell, as a number since time began
        self.columns: dict[str, list[array[int]]] = {}
        """By source: of each column a cell for each moment, n modulo their number for the nth."""

    @property
    def size(self) -> int:
        """What all cells take of the memory."""
        return len(self.columns) * COLUMNS * self._cells * 8

    def add(self, source: str, column: int, count: int, now: int) -> None:
        """Add to one column of the cell of now. A source that isn't known here is "other"."""
        self._advance(now // self._width)
        if source not in _SOURCES:
            source = "other"
        columns = self.columns.get(source)
        if columns is None:
            columns = self.columns[source] = [
                array("q", bytes(8 * self._cells)) for _ in range(COLUMNS)
            ]
        cells, at = columns[column], self._head % self._cells
        cells[at] = min(cells[at] + count, MAX_VALUE)

    def _advance(self, cell: int) -> None:
        """Empty the cells that begin anew, up to this one."""
        if cell <= self._head:
            return
        gone = range(max(self._head, cell - self._cells) + 1, cell + 1)
        first, last = gone[0] % self._cells, gone[-1] % self._cells
        ways = [(first, last + 1)] if first <= last else [(first, self._cells), (0, last + 1)]
        for columns in self.columns.values():
            for cells in columns:
                for begin, end in ways:
                    cells[begin:end] = array("q", bytes(8 * (end - begin)))
        self._head = cell

    def sums(self, cells: int, now: int) -> dict[str, list[int]]:
        """Return by source what all columns of the last `cells` sum up to, that of now included."""
        return {
            source: [sum(map(sum, self._latest(values, cells, now))) for values in columns]
            for source, columns in self.columns.items()
        }

    def line(self, cells: int, now: int) -> list[list[int]]:
        """Return each column of the last `cells`, all sources together, that of now last."""
        begin, end = self._window(cells, now)
        newest = max(now // self._width, self._head)
        first = newest + 1 - cells
        there = slice(begin - first, end - first)
        line = [[0] * cells for _ in range(COLUMNS)]
        for columns in self.columns.values():
            for column, values in enumerate(columns):
                held = chain.from_iterable(self._latest(values, cells, now))
                line[column][there] = map(add, line[column][there], held)
        return line

    def is_empty(self, now: int) -> bool:
        """Has nothing been counted for so long that no cell of it is left?"""
        return self._head <= now // self._width - self._cells

    def _window(self, cells: int, now: int) -> tuple[int, int]:
        """Return the first of the last cells that hold something, and that after the last one."""
        newest = max(now // self._width, self._head)
        begin = max(newest - cells, self._head - self._cells, -1) + 1
        return begin, max(self._head + 1, begin)

    def _latest(self, values: array[int], cells: int, now: int) -> Iterator[array[int]]:
        """Yield the cells of a column that are among the last ones, in one piece or in two."""
        begin, end = self._window(cells, now)
        if begin >= end:
            return
        first, last = begin % self._cells, (end - 1) % self._cells
        if first <= last:
            yield values[first : last + 1]
        else:
            yield values[first:]
            yield values[: last + 1]
