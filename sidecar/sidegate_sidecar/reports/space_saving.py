"""Space-Saving: which keys come most, of more than can be counted. Pure.

The algorithm of Metwally, Agrawal and El Abbadi (2005): a key that isn't counted takes the place of
the one that has come least, and its count as well, which from then on is the error of its own. So
no count is too small, and none is too large by more than all there was divided by the number of
counters. Here keys come in lots: all of a lot are let in, and then those that have come least give
up their places at once. That changes none of it, and takes a fourth of the time of a heap.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from sidegate.buckets.footprint import bytes_of

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

COUNTERS: Final = 1_024
COUNTER_BYTES: Final = 192  # of a counter: entries of two dicts, two numbers, and a key's head
_BESIDE_KEY: Final = COUNTER_BYTES - bytes_of("")  # what it takes more or less than a bucket does


class SpaceSaving:
    """Counts of keys. `counts` are the largest that may be so; less `errors` they surely are.

    Of a key that isn't there at most `floor` have come. `most` counters are kept, or as many as
    `max_bytes` hold.
    """

    __slots__ = ("_max_bytes", "_most", "counts", "errors", "floor", "size", "total")

    def __init__(self, most: int = COUNTERS, max_bytes: int = 1 << 20) -> None:
        self.counts: dict[str, int] = {}
        self.errors: dict[str, int] = {}  # of those that have one
        self.floor = 0
        self.total = 0
        self.size = 0  # bytes that all counters take of the memory
        self._most = most
        self._max_bytes = max_bytes

    def __len__(self) -> int:
        return len(self.counts)

    def add(self, lot: Sequence[tuple[str, int]]) -> None:
        """Count keys, each so many times."""
        counts, floor = self.counts, self.floor
        new: list[str] = []
        for key, times in lot:
            count = counts.get(key)
            if count is None:
                counts[key] = floor + times
                new.append(key)
            else:
                counts[key] = count + times
        self.total += sum([times for _, times in lot])
        if new:
            self.size += bytes_of_counters(new)
            if floor:
                self.errors.update(dict.fromkeys(new, floor))
            if len(counts) > self._most:
                self._keep(self._most)
            while self.size > self._max_bytes:
                self._keep(len(self.counts) * self._max_bytes // self.size)

    def _keep(self, most: int) -> None:
        """Have those that came least give up their places."""
        counts, errors = self.counts, self.errors
        most = min(most, len(counts) - 1)
        self.floor = floor = sorted(counts.values())[-most - 1]
        kept = {key: count for key, count in counts.items() if count > floor}
        as_often = (key for key, count in counts.items() if count == floor)
        kept.update(dict.fromkeys(islice(as_often, most - len(kept)), floor))
        self.counts = kept  # made anew they have no gaps, and take half the memory
        self.errors = {key: error for key, error in errors.items() if key in kept}
        self.size = bytes_of_counters(kept)

    def ranked(self) -> list[tuple[str, int, int]]:
        """Return (key, count, error) of all that are counted, most first."""
        errors = self.errors
        order = sorted(self.counts.items(), key=_count, reverse=True)
        return [(key, count, errors.get(key, 0)) for key, count in order]


def bytes_of_counters(keys: Collection[str]) -> int:
    """Return what counters of these keys take. One wide character makes all of a key wide."""
    return _BESIDE_KEY * len(keys) + sum(map(bytes_of, keys))


def _count(item: tuple[str, int]) -> int:
    return item[1]
