"""Near copies: values that an app keeps itself for a moment, so that nobody is asked. Pure.

They are bytes, read anew for each who asks: nobody changes what another one has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate.protocol.cache_messages import CacheState
from sidegate.values.sieve import Value
from sidegate.values.store import ValueStore

if TYPE_CHECKING:
    from sidegate.cache.items.found import Found

MAX_NEAR_BYTES = 8 << 20  # of a cache in a process: copies of what is asked for all the time
MICROSECOND = 1_000  # ns


class NearCopies:
    """The copies of one cache, each for at most `near` microseconds. `now` is in ns."""

    def __init__(self, name: str, near: int) -> None:
        self.near = near
        self._name = name
        self._store = ValueStore(MAX_NEAR_BYTES)

    def __len__(self) -> int:
        return len(self._store)

    def get(self, key: str, now: int) -> bytes | None:
        """Return the bytes of a value that there is a copy of."""
        if not self.near:
            return None
        value = self._store.get(self._name, key, now)
        return None if value is None else value.data

    def keep(self, key: str, found: Found, asked_at: int) -> None:
        """Keep a copy of a fresh value, as of when it was asked for: never for too long."""
        if self.near and found.state is CacheState.HIT:
            until = asked_at + min(self.near, found.fresh) * MICROSECOND
            self._store.set(self._name, key, Value(key, found.data, until, until), asked_at)

    def forget(self, keys: list[str]) -> None:
        """Keep no copies of these keys; none: of all."""
        if not keys:
            self._store.clear(self._name)
        for key in keys:
            self._store.delete(self._name, key)
