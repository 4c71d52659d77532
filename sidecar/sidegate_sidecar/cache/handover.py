"""The handover: values go to the nodes that own them by a new ring, those in use first. Pure.

A value that was sent is forgotten here, whether it arrives or not: a cache may lose it, but must
not have two of it. Few messages are under way to a node at a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate.buckets.limits import SECOND
from sidegate.protocol.cache_messages import MAX_CACHE_ROWS, PART_BYTES, CacheEntries, Handed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sidegate_sidecar.cache.around import Around
    from sidegate_sidecar.cache.owner import CacheOwner

SLICE = 200  # values looked at in a turn: half a millisecond
WINDOW = 4  # messages under way to a node: 256 KiB
PATIENCE = SECOND  # ns that a node may take to say that it has one


class CacheHandover:
    """What one node hands over. `place_of` gives the text that a key has on the ring."""

    def __init__(
        self, owner: CacheOwner, around: Around, place_of: Callable[[tuple[str, str]], str]
    ) -> None:
        self._owner = owner
        self._around = around
        self._place_of = place_of
        self._walk: Iterator[tuple[str, str] | None] | None = None
        self._rows: dict[str, list[Handed]] = {}
        self._sizes: dict[str, int] = {}
        self._under_way: dict[int, tuple[str, int]] = {}  # by id: to whom, and since when
        self._last_id = 0

    @property
    def is_over(self) -> bool:
        """Has everything been sent and taken?"""
        return self._walk is None and not self._under_way

    @property
    def has_work(self) -> bool:
        """Is there something to do now, or only something to wait for?"""
        return self._walk is not None and not self._is_full

    @property
    def _is_full(self) -> bool:
        counts: dict[str, int] = {}
        for name, _ in self._under_way.values():
            counts[name] = counts.get(name, 0) + 1
        return max(counts.values(), default=0) >= WINDOW

    def begin(self) -> None:
        """Look at all values, by the ring as it is now."""
        self._walk = self._owner.store.by_use()

    def work(self, now: int) -> None:
        """Hand over a slice."""
        for number, (_, since) in list(self._under_way.items()):
            if since + PATIENCE <= now:
                del self._under_way[number]
        if not self.has_work or self._walk is None:
            return
        for _ in range(SLICE):
            try:
                item = next(self._walk)
            except StopIteration:
                self._walk = None
                break
            if item is not None:
                self._look_at(item, now)
            if self._is_full:
                return
        if self._walk is None:
            for name in list(self._rows):
                self._send(name, now)

    def _look_at(self, item: tuple[str, str], now: int) -> None:
        owner = self._around.owner(self._place_of(item))
        if owner in {"", self._around.name}:
            return
        handed = self._owner.give(item, now)
        if handed is None or not self._around.is_up(owner):
            return
        size = len(handed[6]) + len(handed[1])
        if self._sizes.get(owner, 0) + size > PART_BYTES:
            self._send(owner, now)
        rows = self._rows.setdefault(owner, [])
        rows.append(handed)
        self._sizes[owner] = self._sizes.get(owner, 0) + size
        if len(rows) >= MAX_CACHE_ROWS:
            self._send(owner, now)

    def _send(self, name: str, now: int) -> None:
        rows, _ = self._rows.pop(name, []), self._sizes.pop(name, 0)
        if rows:
            self._last_id += 1
            self._under_way[self._last_id] = name, now
            self._owner.counts.handed_over += len(rows)
            self._around.post(name, CacheEntries(self._last_id, rows))

    def taken(self, name: str, number: int) -> bool:
        """Called when a node has taken a message over; False for a number that isn't of one."""
        known = self._under_way.get(number)
        if known is None or known[0] != name:
            return False
        del self._under_way[number]
        return True

    def left(self, name: str) -> None:
        """Called when the link to a node broke: what is under way is lost."""
        self._rows.pop(name, None)
        self._sizes.pop(name, None)
        for number, (to, _) in list(self._under_way.items()):
            if to == name:
                del self._under_way[number]
