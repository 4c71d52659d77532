"""Caches that ask sidecars of this process, and functions that count how often they are called."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from sidegate import Cache
from sidegate_sidecar.cache.cache_node import CacheNode, place_of
from sidegate_sidecar.process import Process
from tests.support.in_process.cluster import GENEROUS


class Loads:
    """A function to load something, which waits while it is held."""

    def __init__(self) -> None:
        self.keys: list[Any] = []
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.error: Exception | None = None

    async def __call__(self, key: object) -> dict[str, Any]:
        """Load."""
        self.keys.append(key)
        await self.go_on.wait()
        if self.error is not None:
            raise self.error
        return {"key": key, "load": len(self.keys)}


@asynccontextmanager
async def caches(*nodes: Process, **options: Any) -> AsyncGenerator[list[Cache]]:
    """Give a cache of one namespace for each node."""
    defaults: dict[str, Any] = {"ttl": "1h", "budget": GENEROUS, "lease": GENEROUS}
    made = [Cache("users", sidecar=str(it.link), **{**defaults, **options}) for it in nodes]
    try:
        yield made
    finally:
        for cache in made:
            await cache.close()


def cache_of(node: Process) -> CacheNode:
    """Return what a sidecar keeps."""
    assert node.cache is not None
    return node.cache.node


def key_at(node: Process, skip: int = 0) -> str:
    """Return a key whose value a node owns."""
    ring, me = node.cluster.ring, node.config.name
    keys = (f"k{at}" for at in range(10_000))
    return [key for key in keys if ring.owner(place_of(("users", key))) == me][skip]
