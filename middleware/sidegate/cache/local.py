"""Values in this process alone, where no sidecar is asked: for laptops and tests, or for none."""

from __future__ import annotations

from sidegate.cache.items.found import Found
from sidegate.client.memory import STANDING
from sidegate.protocol.cache_messages import CacheState

_OURS = 1  # the token of who fills here


class LocalValues:
    """The values of one cache in the memory of the process, or nowhere unless it `keeps` any."""

    def __init__(self, name: str, *, keeps: bool = True) -> None:
        self._name = name
        self._keeps = keeps
        self._filling: set[str] = set()  # the stale ones: one at a time

    def look(self, key: str, *, fills: bool = False) -> Found:
        """Return what there is; the asker is to fill what isn't fresh, if it `fills`."""
        kept = STANDING.memory.value(self._name, key) if self._keeps else None
        if kept is None:
            return Found(CacheState.FILL if fills and self._keeps else CacheState.MISS, b"", _OURS)
        data, is_fresh = kept
        if is_fresh:
            return Found(CacheState.HIT, data)
        if not fills or key in self._filling:
            return Found(CacheState.STALE, data)
        self._filling.add(key)
        return Found(CacheState.STALE_FILL, data, _OURS)

    def keep(self, key: str, ttl: int, stale: int, data: bytes) -> bool:
        """Keep a value, for microseconds as fresh and for some more as stale; is it kept?"""
        self._filling.discard(key)
        return self._keeps and STANDING.memory.keep(self._name, key, data, ttl, stale)

    def drop(self, keys: list[str] | None = None) -> None:
        """Forget the values of some keys, or all."""
        STANDING.memory.drop(self._name, keys)

    def release(self, key: str) -> None:
        """Fill no more what is stale."""
        self._filling.discard(key)


class LocalSession:
    """The same, as what a Cache asks in an event loop."""

    def __init__(self, values: LocalValues) -> None:
        self._values = values

    async def get(self, keys: list[str], lease: int = 0) -> list[Found]:
        """Return what there is of some keys."""
        return [self._values.look(key, fills=lease > 0) for key in keys]

    async def set(self, key: str, _token: int, ttl: int, stale: int, data: bytes) -> bool:
        """Keep a value; is it kept?"""
        return self._values.keep(key, ttl, stale, data)

    def fill(self, key: str, _token: int, ttl: int, stale: int, data: bytes) -> None:
        """Keep a value."""
        self._values.keep(key, ttl, stale, data)

    async def delete(self, keys: list[str]) -> bool:
        """Forget values."""
        self._values.drop(keys)
        return True

    async def clear(self) -> bool:
        """Forget the namespace."""
        self._values.drop()
        return True

    def release(self, key: str, _token: int) -> None:
        """Fill no more what is stale."""
        self._values.release(key)
