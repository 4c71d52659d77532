"""SIEVE: which value goes first when there is no room (Zhang et al., NSDI '24). Pure.

Values stand in a queue in the order in which they came. A hand goes through it from the oldest to
the newest and begins anew at its end. What was used since the hand last came by it passes over;
the first that wasn't has to go. So a use costs one bit, and nothing moves in the queue.
"""

from __future__ import annotations

from collections import OrderedDict
from sys import getsizeof
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# Bytes of an entry, its places in a queue and in tables: what tracemalloc finds, and a tenth.
OVERHEAD = 320
MAX_STEPS = 64  # of the hand for one value: 10 us. Then who is there goes, used or not


class Value:
    """One value; times are in ns. Until `fresh_until` it is given, until `stale_until` as stale."""

    __slots__ = ("data", "fresh_until", "near_until", "size", "stale_until", "used")

    def __init__(self, key: str, data: bytes, fresh_until: int, stale_until: int) -> None:
        self.data = data
        self.fresh_until = fresh_until
        self.stale_until = stale_until
        self.near_until = 0  # until then copies of it may be elsewhere
        self.size = OVERHEAD + getsizeof(key) + getsizeof(data)
        self.used = False

    def note_copy(self, now: int, near: int) -> None:
        """Note that somebody may keep a copy for so many ns, as long as it is fresh."""
        until = min(now + near, self.fresh_until)
        self.near_until = max(self.near_until, until)


class Sieve:
    """The values of one namespace, by key, and the bytes that they take."""

    __slots__ = ("_ahead", "_passed", "bytes")

    def __init__(self) -> None:
        self._ahead: OrderedDict[str, Value] = OrderedDict()  # of the hand, which is at its begin
        self._passed: OrderedDict[str, Value] = OrderedDict()  # older than the hand
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._ahead) + len(self._passed)

    def get(self, key: str) -> Value | None:
        """Return the value of a key."""
        return self._ahead.get(key) or self._passed.get(key)

    def add(self, key: str, entry: Value) -> None:
        """Take in a value of a key that has none."""
        self._ahead[key] = entry
        self.bytes += entry.size

    def remove(self, key: str) -> Value | None:
        """Take out the value of a key."""
        entry = self._ahead.pop(key, None) or self._passed.pop(key, None)
        if entry is not None:
            self.bytes -= entry.size
        return entry

    def evict(self, now: int) -> tuple[str, Value]:
        """Take out the value that goes first, and return it with its key; there must be one."""
        for _ in range(MAX_STEPS):
            key, entry = self._next()
            if not entry.used or entry.stale_until <= now:
                break
            entry.used = False
            self._passed[key] = entry
        else:
            key, entry = self._next()
        self.bytes -= entry.size
        return key, entry

    def _next(self) -> tuple[str, Value]:
        if not self._ahead:
            self._ahead, self._passed = self._passed, self._ahead
        return self._ahead.popitem(last=False)

    def by_use(self) -> Iterator[str | None]:
        """Yield the keys: those in use first, and of each kind the newest first.

        Values may come and go meanwhile. None is a step in which there was nothing to yield: who
        has other things to do can count steps.
        """
        keys = [*reversed(self._ahead), *reversed(self._passed)]
        seen: set[str] = set()
        for key in keys:
            value = self.get(key)
            if value is not None and value.used:
                seen.add(key)
                yield key
            else:
                yield None
        for key in keys:
            yield key if key not in seen and self.get(key) else None
