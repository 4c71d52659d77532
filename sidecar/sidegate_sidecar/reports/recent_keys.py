"""Recent keys: which keys of one rule were asked about, and denied, most, minute by minute. Pure.

Only the minute that goes on is kept so that it can be counted in. What is over is packed: a tenth
of the memory, and a slice of work to look into it again.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from sidegate_sidecar.reports.series import MAX_VALUE
from sidegate_sidecar.reports.space_saving import SpaceSaving, lot_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MINUTE: Final = 60 * 10**9  # ns
MINUTES: Final = 10  # that are over; with the one that goes on, never less than ten
_LIVE_SHARE: Final = 3 / 16  # of a rule's bytes, for each of the two tables of this minute
_PACKED_SHARE: Final = 3 / 8  # for all tables of the minutes that are over

_Packed = tuple[int, list[str], list[int], list[int]]
_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(_Packed)


class Ranking(NamedTuple):
    """Counts of keys: (key, count, error) of each, and how often any other came, at most."""

    rows: list[tuple[str, int, int]]
    floor: int


class _Minute(NamedTuple):
    """A minute that is over: its number since time began, and both tables."""

    number: int
    asked: bytes
    denied: bytes


class RecentKeys:
    """The tables of the last minutes. `prefix` is what all keys begin with, which isn't kept."""

    __slots__ = ("_max_packed", "_minute", "_over", "_prefix", "_table_bytes", "asked", "denied")

    def __init__(self, max_bytes: int, prefix: str = "") -> None:
        self._table_bytes = int(max_bytes * _LIVE_SHARE)
        self._max_packed = int(max_bytes * _PACKED_SHARE) // (2 * MINUTES)
        self._prefix = prefix
        self._minute = -1
        self._over: deque[_Minute] = deque(maxlen=MINUTES)
        self._begin()

    def _begin(self) -> None:
        self.asked = SpaceSaving(max_bytes=self._table_bytes)
        self.denied = SpaceSaving(max_bytes=self._table_bytes)

    @property
    def size(self) -> int:
        """What all of it takes of the memory."""
        packed = sum(len(it.asked) + len(it.denied) for it in self._over)
        return packed + self.asked.size + self.denied.size

    def count(self, asked: Mapping[str, int], denied: Mapping[str, int], now: int) -> Iterator[int]:
        """Count keys in the minute of now, in slices; yield how much work each was."""
        asked_lot = yield from lot_of(asked, self.asked.most)
        denied_lot = yield from lot_of(denied, self.denied.most)
        if packed := self.turn(now):
            yield packed
        yield self.asked.add(asked_lot)
        if denied:
            yield self.denied.add(denied_lot)

    def turn(self, now: int) -> int:
        """Begin a new minute if it is one; return how many counters that has packed.

        Time that goes back is of the minute that goes on.
        """
        minute = now // MINUTE
        if minute <= self._minute:
            return 0
        work = len(self.asked) + len(self.denied)
        if work:
            self._over.append(
                _Minute(self._minute, self._pack(self.asked), self._pack(self.denied))
            )
            self._begin()
        self._minute = minute
        return work

    def _pack(self, table: SpaceSaving) -> bytes:
        """Return a table as bytes, without those that came least if it has too many."""
        rows, floor = table.ranked(), table.floor
        cut = len(self._prefix)
        counts = [min(count, MAX_VALUE) for _, count, _ in rows]
        errors = [min(error, MAX_VALUE) for _, _, error in rows]
        while True:
            keys = [key[cut:] for key, _, _ in rows]
            packed = _encoder.encode(
                (min(floor, MAX_VALUE), keys, counts[: len(rows)], errors[: len(rows)])
            )
            if len(packed) <= self._max_packed:
                return packed
            kept = min(len(rows) * self._max_packed // len(packed), len(rows) - 1)
            rows, floor = rows[:kept], rows[kept][1]

    def since(self, first: int) -> Iterator[tuple[Ranking, Ranking]]:
        """Yield what was asked and denied in each minute from that number on; each is some work."""
        for over in list(self._over):
            if over.number >= first:
                yield self._unpacked(over.asked), self._unpacked(over.denied)
        if self._minute >= first:
            asked, denied = self.asked, self.denied
            yield Ranking(asked.ranked(), asked.floor), Ranking(denied.ranked(), denied.floor)

    def _unpacked(self, packed: bytes) -> Ranking:
        floor, keys, counts, errors = _decoder.decode(packed)
        prefix = self._prefix
        return Ranking(
            list(zip([prefix + key for key in keys], counts, errors, strict=True)), floor
        )
