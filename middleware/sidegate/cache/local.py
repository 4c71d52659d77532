"""Values in this process alone, where no sidecar is asked: for laptops and tests, or for none."""

from __future__ import annotations

from sidegate.cache.items.found import Found
from sidegate.client.memory import STANDING
from sidegate.protocol.cache_messages import CacheState


class LocalValues:
    """The values of one cache in the memory of the process, or nowhere unless it `keeps` any."""

    def __init__(self, name: str, *, keeps: bool = True) -> None:
        self._name = name
        self._keeps = keeps

    def look(self, key: str, *, fills: bool = False) -> Found:
        """Return what there is; the asker is to fill what isn't fresh, if it `fills`."""
        if not self._keeps:
            return Found(CacheState.MISS)
        memory = STANDING.memory
        kept = memory.value(self._name, key)
        if kept is None:
            token = memory.lend(self._name, key) if fills else 0
            return Found(CacheState.FILL if fills else CacheState.MISS, b"", token)
        data, is_fresh = kept
        if is_fresh:
            return Found(CacheState.HIT, data)
        if not fills or memory.is_lent(self._name, key):
            return Found(CacheState.STALE, data)
        return Found(CacheState.STALE_FILL, data, memory.lend(self._name, key))

    def keep(self, key: str, token: int, ttl: int, stale: int, data: bytes) -> bool:
        """Keep a value, for microseconds as fresh and for some more as stale; is it kept?"""
        return self._keeps and STANDING.memory.keep(self._name, key, data, ttl, stale, token)

    def drop(self, keys: list[str] | None = None) -> None:
        """Forget the values of some keys, or all, and those that are being made."""
        STANDING.memory.drop(self._name, keys)

    def release(self, key: str, token: int) -> None:
        """Fill no more."""
        STANDING.memory.give_back(self._name, key, token)


class LocalSession:
    """The same, as what a Cache asks in an event loop."""

    def __init__(self, values: LocalValues) -> None:
        self._values = values

    async def get(self, keys: list[str], lease: int = 0) -> list[Found]:
        """Return what there is of some keys."""
        return [self._values.look(key, fills=lease > 0) for key in keys]

    async def set(self, key: str, token: int, ttl: int, stale: int, data: bytes) -> bool:
        """Keep a value; is it kept?"""
        return self._values.keep(key, token, ttl, stale, data)

    def fill(self, key: str, token: int, ttl: int, stale: int, data: bytes) -> None:
        """Keep a value."""
        self._values.keep(key, token, ttl, stale, data)

    async def delete(self, keys: list[str]) -> bool:
        """Forget values."""
        self._values.drop(keys)
        return True

    async def clear(self) -> bool:
        """Forget the namespace."""
        self._values.drop()
        return True

    def release(self, key: str, token: int) -> None:
        """Fill no more."""
        self._values.release(key, token)
