"""A table: the buckets of one limit, each of them one number."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate.buckets.tables.footprint import DICT_ENTRY

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sidegate.buckets.limits import Limit
    from sidegate.buckets.windows import CurrentWindow

# A dict grows by being copied whole, which stops the process for 55 ms at 700,000 keys. So a
# table of more than 4,096 keys is spread over 48 dicts, the largest copy at 1,000,000 keys then
# takes 1 ms, for 50 ns more a look-up. Taken are the top bits of the hash, because the dict
# takes the low ones; they are -1,024 to 1,023, and a negative index counts from the end. So many
# that all dicts have about as many of them, by which they come to 21,845 keys, where they double,
# at 1,048,000: 20 bytes a key until then, and 38 behind it.
_SPREAD_ABOVE = 4_096
_DICTS = 48
SHIFT = 53
_PLACES = 1 << 64 - SHIFT
# A bucket is put by while its key has other limits: its tick is held as a negative number.
PUT_BY = -1  # and owes nothing
# Bytes that a dict may take beyond those of its keys: what one of few keys does.
_LEAST_DICT = 300


class Table:
    """The tick at which each key's bucket is full again; a key that isn't there has a full one.

    Negative for a bucket that was put by, as its key has got other limits; see `carrying.py`.

    The fields are open for `Buckets.take`, which is faster than a call; only `add` and `remove`
    may change which keys there are.
    """

    __slots__ = (
        "_dicts",
        "capacity",
        "interval",
        "limit",
        "one",
        "puts_by",
        "scale",
        "shards",
        "size",
        "window",
    )

    def __init__(self, limit: Limit, window: CurrentWindow | None = None) -> None:
        self.limit = limit
        self.window = window  # of a quota
        self.scale = limit.scale
        self.interval = limit.interval
        self.capacity = limit.capacity
        self.size = 0
        self.puts_by = False  # has a bucket been put by, ever?
        self.one: dict[str, int] = {}  # all keys, while there are few
        self.shards: list[dict[str, int]] | None = None  # then, by hash, the dict that has it
        self._dicts = [self.one]

    def ticks(self, now: int) -> int:
        """Return where the clock of these buckets stands."""
        return now * self.scale if self.window is None else self.window.at(now)

    def debt(self, full_at: int, now: int) -> int:
        """Return what a bucket owes (ticks) whose number is this, whether it was put by or not."""
        if self.window is None:
            return max(abs(full_at) - now * self.scale, 0)
        return self.window.debt(abs(full_at), now)

    def renumber(self, keys: Iterable[str], now: int) -> None:
        """Have buckets of a window to come, from before the clock was set back, be of this one.

        Else no other node's could be larger.
        """
        window = self.window
        if window is None or window.at(now) == window.latest * window.length:
            return
        for key in keys:
            held = self.dict_of(key)
            full_at = held.get(key, 0)
            if abs(full_at) - window.ticks > window.length:
                number = window.ticks + self.debt(full_at, now)
                held[key] = number if full_at > 0 else -number

    def dict_of(self, key: str) -> dict[str, int]:
        """Return the dict that holds this key, or would."""
        return self.one if self.shards is None else self.shards[hash(key) >> SHIFT]

    def dicts(self) -> list[dict[str, int]]:
        """Return all dicts that hold keys."""
        return self._dicts

    def add(self, key: str, full_at: int) -> bool:
        """Add a key that isn't there; tell whether the table was spread out because of it."""
        self.size += 1
        # What is added up has room for a digit more than it needs, 48 bytes and not 32. Taking 0
        # off makes another one that hasn't, in 25 ns.
        full_at -= 0
        if self.shards is not None:
            self.shards[hash(key) >> SHIFT][key] = full_at
            return False
        self.one[key] = full_at
        if self.size > _SPREAD_ABOVE:
            self._spread()
            return True
        return False

    def remove(self, key: str) -> None:
        """Remove a key that is there."""
        held = self.dict_of(key)
        del held[key]
        self.size -= 1
        # A dict that was large stays so while it lives.
        if held.__sizeof__() > DICT_ENTRY * len(held) + _LEAST_DICT:
            self._set(0 if self.shards is None else _dict_at(key), dict(held))

    def replace(self, keys: list[str]) -> None:
        """Put these texts in the place of the equal ones that are there."""
        for key in keys:
            held = self.dict_of(key)
            if key in held:
                held[key] = held.pop(key)

    def _set(self, at: int, held: dict[str, int]) -> None:
        """Put a dict in the place of the one of that number."""
        self._dicts[at] = held
        if self.shards is None:
            self.one = held
        else:
            self.shards[at::_DICTS] = [held] * len(range(at, _PLACES, _DICTS))

    def _spread(self) -> None:
        held = self.one
        self._dicts = dicts = [dict[str, int]() for _ in range(_DICTS)]
        self.shards = [dicts[place % _DICTS] for place in range(_PLACES)]
        for key, full_at in held.items():
            self.shards[hash(key) >> SHIFT][key] = full_at
        self.one = {}


def _dict_at(key: str) -> int:
    return (hash(key) >> SHIFT) % _PLACES % _DICTS
