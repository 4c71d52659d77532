"""Held rows: which reservations are known, within bounds, and which of them go. Pure.

Open ones are never pushed out: what is one too many is charged, and not known. Of those that are
over the oldest make place. Who isn't known is given nothing back, so that is too little, and never
too much.
"""

from __future__ import annotations

from collections import Counter
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Final

from sidegate.reservations.held_row import HoldState
from sidegate.reservations.row_bytes import RowBytes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sidegate.reservations.held_row import HeldRow

MAX_OPEN: Final = 32_768  # a thousand begun a second, for half a minute each
MAX_OPEN_OF_KEY: Final = MAX_OPEN // 4  # so that one client's don't take the place of all
MAX_OVER: Final = 49_152  # 45 s of so many; dear are only those that are committed again
# Of each of the two, about: with the longest keys, or limits that are others for each, fewer fit.
MAX_BYTES: Final = 32 << 20
KEEP: Final = 600 * 10**9  # ns that the answers to an id stay the same


class HeldRows:
    """The reservations of one node, by key and name. Times are in ns."""

    def __init__(self) -> None:
        self.open: dict[tuple[str, str], HeldRow] = {}
        self.over: dict[tuple[str, str], HeldRow] = {}
        self._of_key: Counter[str] = Counter()
        self._open_bytes, self._over_bytes = RowBytes(), RowBytes()
        self._ends: list[tuple[int, tuple[str, str]]] = []  # a heap; may hold some that are over

    def __len__(self) -> int:
        return len(self.open) + len(self.over)

    def __iter__(self) -> Iterator[HeldRow]:
        yield from self.open.values()
        yield from self.over.values()

    def get(self, key: str, name: str) -> HeldRow | None:
        """Return a reservation, None if it isn't known."""
        return self.open.get((key, name)) or self.over.get((key, name))

    def has_open(self, key: str) -> bool:
        """Has a key any that is open?"""
        return key in self._of_key

    def _has_room(self, row: HeldRow) -> bool:
        """May that one be open as well?"""
        fits = len(self.open) < MAX_OPEN and self._open_bytes.with_one_more(row) <= MAX_BYTES
        return fits and self._of_key.get(row.key, 0) < MAX_OPEN_OF_KEY

    def put(self, row: HeldRow) -> bool:
        """Put a new one into its place, or one whose state has changed; False if there is no room.

        Only for one that is open there may be none.
        """
        place = row.key, row.name
        self.drop(*place)
        if row.state is not HoldState.OPEN:
            self._put_over(row)
            return True
        if not self._has_room(row):
            return False
        self.open[place] = row
        self._of_key[row.key] += 1
        self._open_bytes.add(row)
        heappush(self._ends, (row.ends_at, place))
        return True

    def _put_over(self, row: HeldRow) -> None:
        self.over[row.key, row.name] = row
        self._over_bytes.add(row)
        heappush(self._ends, (row.until, (row.key, row.name)))
        while len(self.over) > MAX_OVER or self._over_bytes.total > MAX_BYTES:
            self.drop(*next(iter(self.over)))

    def drop(self, key: str, name: str) -> None:
        """Forget one, if it is known."""
        if row := self.open.pop((key, name), None):
            self._open_bytes.remove(row)
            self._of_key[key] -= 1
            if not self._of_key[key]:
                del self._of_key[key]
        elif row := self.over.pop((key, name), None):
            self._over_bytes.remove(row)
        self._prune()

    def _prune(self) -> None:
        """Make the heap anew when most of it is of rows that have gone."""
        if len(self._ends) > 4 * len(self) + 1_024:
            self._ends = sorted(
                [
                    *((it.ends_at, at) for at, it in self.open.items()),
                    *((it.until, at) for at, it in self.over.items()),
                ]
            )

    def due(self, now: int, most: int) -> list[HeldRow]:
        """Forget what is to be forgotten by now; return up to so many open ones that have ended."""
        ended: list[HeldRow] = []
        looked_at = 0
        while self._ends and self._ends[0][0] <= now and looked_at < most:
            looked_at += 1
            _, place = heappop(self._ends)
            if (row := self.open.get(place)) and row.ends_at <= now:
                ended.append(row)
            elif (row := self.over.get(place)) and row.until <= now:
                self.drop(*place)
        return ended
