"""AsyncSidegateStorage: what its suite doesn't ask, loops that end and nobody who answers."""

import asyncio

import pytest
from limits import parse
from limits.aio.strategies import (
    FixedWindowRateLimiter,
    MovingWindowRateLimiter,
    SlidingWindowCounterRateLimiter,
)
from limits.errors import StorageError

from sidegate.compat.limits import AsyncSidegateStorage, AsyncTokenBucketRateLimiter
from sidegate.testing import isolated

TEN = parse("10/year")


def test_one_storage_serves_many_loops() -> None:
    """As where each request of a test client has a loop of its own."""
    with isolated():
        limiter = FixedWindowRateLimiter(AsyncSidegateStorage("async+sidegate://"))
        assert sum(asyncio.run(limiter.hit(TEN, "alice")) for _ in range(12)) == 10
        assert asyncio.run(limiter.get_window_stats(TEN, "alice")).remaining == 0


async def test_a_hundred_at_once_get_ten() -> None:
    with isolated():
        limiter = MovingWindowRateLimiter(AsyncSidegateStorage("async+sidegate://"))
        allowed = await asyncio.gather(*(limiter.hit(TEN, "alice") for _ in range(100)))
        assert sum(allowed) == 10
        assert await limiter.storage.reset() == 2  # a bucket and a window
        assert await limiter.hit(TEN, "alice")


async def test_without_a_sidecar_raise_raises_theirs(nowhere: str) -> None:
    storage = AsyncSidegateStorage(f"async+sidegate://{nowhere}", on_unreachable="raise")
    for kind in (
        *(FixedWindowRateLimiter, MovingWindowRateLimiter, SlidingWindowCounterRateLimiter),
        AsyncTokenBucketRateLimiter,
    ):
        limiter = kind(storage)
        for ask in (limiter.hit, limiter.test, limiter.get_window_stats):
            with pytest.raises(StorageError):
                await ask(TEN, "alice")
        with pytest.raises(StorageError):
            await limiter.clear(TEN, "alice")
    with pytest.raises(StorageError):
        await storage.reset()
    assert not await storage.check()


async def test_by_default_all_pass_without_a_sidecar(nowhere: str) -> None:
    limiter = AsyncTokenBucketRateLimiter(AsyncSidegateStorage(f"async+sidegate://{nowhere}"))
    assert [await limiter.hit(TEN, "alice") for _ in range(12)] == [True] * 12
    assert await limiter.hit_all([TEN, parse("20/year")], "alice")
