"""Space-Saving: which keys come most, of more than can be counted. Pure.

The algorithm of Metwally, Agrawal and El Abbadi (2005): a key that isn't counted takes the place of
the one that has come least, and its count as well, which from then on is the error of its own. So
no count is too small, and none is too large by more than all there was divided by the number of
counters. Here several give up their places at once, a few more having been let in before, which
changes none of that: at C speed, it takes a third of the time of a heap.
"""

from __future__ import annotations

from typing import Final

COUNTERS: Final = 1_024
COUNTER_BYTES: Final = 192  # of a counter: entries of two dicts, two numbers, and a key's head
_ROOM: Final = 8  # one part in so many is let in above what is kept, and goes at once


class SpaceSaving:
    """Counts of keys. `counts` are the largest that may be so; less `errors` they surely are.

    Of a key that isn't there at most `floor` have come. `most` counters are kept, or as many as
    `max_bytes` hold.
    """

    __slots__ = (
        "_bytes",
        "_max_bytes",
        "_most",
        "_most_held",
        "counts",
        "errors",
        "floor",
        "total",
    )

    def __init__(self, most: int = COUNTERS, max_bytes: int = 1 << 20) -> None:
        self.counts: dict[str, int] = {}
        self.errors: dict[str, int] = {}  # of those that have one
        self.floor = 0
        self.total = 0
        self._most = most
        self._most_held = most + max(most // _ROOM, 1)
        self._bytes = 0
        self._max_bytes = max_bytes

    def __len__(self) -> int:
        return len(self.counts)

    @property
    def size(self) -> int:
        """What all counters take of the memory."""
        return self._bytes

    def add(self, key: str, times: int = 1) -> None:
        """Count a key."""
        counts = self.counts
        self.total += times
        count = counts.get(key)
        if count is not None:
            counts[key] = count + times
            return
        size = COUNTER_BYTES + len(key)
        if len(counts) >= self._most_held or self._bytes + size > self._max_bytes:
            self._make_room(size)
            counts = self.counts
        counts[key] = self.floor + times
        if self.floor:
            self.errors[key] = self.floor
        self._bytes += size

    def _make_room(self, size: int) -> None:
        """Have those that came least give up their places."""
        counts = self.counts
        order = sorted(counts, key=counts.__getitem__)
        most_bytes = min(self._max_bytes - self._max_bytes // _ROOM, self._max_bytes - size)
        gone = 0
        for key in order:
            if len(order) - gone <= self._most and self._bytes <= most_bytes:
                break
            self.floor = counts[key]  # they rise
            self._bytes -= COUNTER_BYTES + len(key)
            gone += 1
        errors = self.errors  # dicts that are made anew have no gaps, and take half the memory
        self.counts = {key: counts[key] for key in order[gone:]}
        self.errors = {key: errors[key] for key in order[gone:] if key in errors}

    def ranked(self) -> list[tuple[str, int, int]]:
        """Return (key, count, error) of all that are counted, most first."""
        errors = self.errors
        order = sorted(self.counts.items(), key=_count, reverse=True)
        return [(key, count, errors.get(key, 0)) for key, count in order]


def _count(item: tuple[str, int]) -> int:
    return item[1]
