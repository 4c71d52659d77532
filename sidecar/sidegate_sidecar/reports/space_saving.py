"""Space-Saving: which keys come most, of more than can be counted. Pure.

The algorithm of Metwally, Agrawal and El Abbadi (2005): a key that isn't counted takes the place of
the one that has come least, and its count as well, which from then on is the error of its own. So
no count is too small, and none is too large by more than all there was divided by the number of
counters. Here keys come in lots: all of a lot are let in, and then those that have come least give
up their places at once. That changes none of it, and takes a fourth of the time of a heap.

Of a lot of more keys than counters only as many are let in, those that come most: with these the
others could not keep a place. Of those that stay outside the one that comes most came `rest` times,
so the floor rises by that. It may: each of those that were let in came as often, and there are as
many of them as counters, so `rest` times the counters is no more than came. And none that had a
counter gives it up before the end of the lot, so nothing that has come is forgotten on the way.
"""

from __future__ import annotations

from bisect import bisect
from collections import Counter
from itertools import accumulate, count, islice
from operator import add, itemgetter
from typing import TYPE_CHECKING, Final, NamedTuple

from sidegate.buckets.tables.footprint import bytes_of

if TYPE_CHECKING:
    from collections.abc import Collection, Generator, Mapping

COUNTERS: Final = 1_024
COUNTER_BYTES: Final = 192  # of a counter: entries of two dicts, two numbers, and a key's head
STEP: Final = 1_024  # keys that are looked at in a slice of work: a tenth of a millisecond
_BESIDE_KEY: Final = COUNTER_BYTES - bytes_of("")  # what it takes more or less than a bucket does


class Lot(NamedTuple):
    """Keys that are counted together. Those of `top` may get a counter if they have none yet."""

    times: Mapping[str, int]
    top: Collection[str]
    rest: int
    """How often the key came that comes most of those that aren't in `top`; 0 if there is none."""


def lot_of(times: Mapping[str, int], most: int) -> Generator[int, None, Lot]:
    """Make a lot that may fill so many counters, in slices; yield how much work each was."""
    if len(times) <= most:
        return Lot(times, times.keys(), 0)
    rest, places = yield from _bar_of(times, most)
    top: list[str] = []
    as_often: list[str] = []
    above, equal = iter(times.items()), iter(times.items())
    for _ in range(0, len(times), STEP):
        top += [key for key, often in islice(above, STEP) if often > rest]
        if len(as_often) < places:
            as_often += [key for key, often in islice(equal, STEP) if often == rest]
        yield STEP
    return Lot(times, top + as_often[:places], rest)


def _bar_of(times: Mapping[str, int], most: int) -> Generator[int, None, tuple[int, int]]:
    """Find how often the first key came that has no place, and how many places are for such."""
    how_many: Counter[int] = Counter()
    values = iter(times.values())
    for _ in range(0, len(times), 2 * STEP):
        how_many.update(islice(values, 2 * STEP))
        yield STEP
    places = most
    for often in sorted(how_many, reverse=True):  # few: 1,000 of them are of half a million checks
        if how_many[often] > places:
            return often, places
        places -= how_many[often]
    raise AssertionError("there are more keys than that")


class SpaceSaving:
    """Counts of keys. `counts` are the largest that may be so; less `errors` they surely are.

    Of a key that isn't there at most `floor` have come. `most` counters are kept, or as many as
    `max_bytes` hold.
    """

    __slots__ = ("_max_bytes", "counts", "errors", "floor", "most", "size")

    def __init__(self, most: int = COUNTERS, max_bytes: int = 1 << 20) -> None:
        self.counts: dict[str, int] = {}
        self.errors: dict[str, int] = {}  # of those that have one
        self.floor = 0
        self.size = 0  # bytes that all counters take of the memory
        self.most = min(most, max_bytes // COUNTER_BYTES)
        self._max_bytes = max_bytes

    def __len__(self) -> int:
        return len(self.counts)

    def add(self, lot: Lot) -> int:
        """Count a lot that was made for so many counters; return how much work that was."""
        counts, times, floor = self.counts, lot.times, self.floor
        new = [key for key in lot.top if key not in counts]
        known = counts.keys() & times.keys()
        for key in known:
            counts[key] += times[key]
        counts.update([(key, floor + times[key]) for key in new])
        if floor:
            self.errors.update(dict.fromkeys(new, floor))
        self.floor += lot.rest
        work = len(known) + len(new)
        if len(counts) <= self.most:
            self.size += bytes_of_counters(new)
        if len(counts) > self.most or self.size > self._max_bytes:
            work += 2 * len(counts)
            self._trim()
        return work

    def _trim(self) -> None:
        """Have those that came least give up their places."""
        counts, errors = self.counts, self.errors
        order = sorted(counts, key=counts.__getitem__, reverse=True)
        of_keys = accumulate(map(bytes_of, order[: self.most]))
        sizes = list(map(add, of_keys, count(_BESIDE_KEY, _BESIDE_KEY)))
        kept = bisect(sizes, self._max_bytes)
        self.floor = max(self.floor, counts[order[kept]])
        self.counts = {key: counts[key] for key in order[:kept]}  # without gaps: half the memory
        self.errors = {key: error for key, error in errors.items() if key in self.counts}
        self.size = sizes[kept - 1] if kept else 0

    def ranked(self) -> list[tuple[str, int, int]]:
        """Return (key, count, error) of all that are counted, most first."""
        errors = self.errors
        order = sorted(self.counts.items(), key=itemgetter(1), reverse=True)
        return [(key, count, errors.get(key, 0)) for key, count in order]


def bytes_of_counters(keys: Collection[str]) -> int:
    """Return what counters of these keys take. One wide character makes all of a key wide."""
    return _BESIDE_KEY * len(keys) + sum(map(bytes_of, keys))
