"""The strategy token-bucket, for threads and for event loops."""

import pytest
from limits import parse, parse_many
from limits.aio.storage import MemoryStorage as AsyncMemoryStorage
from limits.aio.strategies import STRATEGIES as ASYNC_STRATEGIES
from limits.storage import MemoryStorage
from limits.strategies import STRATEGIES

from sidegate.compat.limits import (
    AsyncSidegateStorage,
    AsyncTokenBucketRateLimiter,
    SidegateStorage,
    TokenBucketRateLimiter,
)
from tests.compat.limits.plug.clock import Clock
from tests.middleware.compat.limits.asked import counted, counted_in_loops

TEN = parse("10/minute")
BOTH = parse_many("10/minute; 12/hour")

pytestmark = pytest.mark.usefixtures("clock")


def test_both_are_registered() -> None:
    assert STRATEGIES["token-bucket"].__name__ == "TokenBucketRateLimiter"
    assert ASYNC_STRATEGIES["token-bucket"].__name__ == "AsyncTokenBucketRateLimiter"


def test_a_bucket_refills_evenly(clock: Clock) -> None:
    limiter = TokenBucketRateLimiter(SidegateStorage("sidegate+memory://"))
    assert sum(limiter.hit(TEN, "alice") for _ in range(12)) == 10
    assert limiter.get_window_stats(TEN, "alice") == (clock.time() + 60, 0)
    clock.sleep(6)
    assert limiter.test(TEN, "alice")
    assert not limiter.test(TEN, "alice", cost=2)
    assert sum(limiter.hit(TEN, "alice") for _ in range(2)) == 1
    limiter.clear(TEN, "alice")
    assert limiter.get_window_stats(TEN, "alice") == (clock.time(), 10)


def test_in_memory_nothing_is_told_again(clock: Clock) -> None:
    """A look costs nothing there, and who moves time wants to see what comes back."""
    limiter = TokenBucketRateLimiter(SidegateStorage("sidegate+memory://"))
    limiter.hit(TEN, "alice", cost=10)
    clock.sleep(0.5)
    assert limiter.get_window_stats(TEN, "alice").reset_time == clock.time() + 59.5
    limiter.hit(parse("10/second"), "alice", cost=10)
    clock.sleep(0.5)
    assert limiter.get_window_stats(parse("10/second"), "alice").remaining == 5


async def test_it_is_the_same_in_loops(clock: Clock) -> None:
    limiter = AsyncTokenBucketRateLimiter(AsyncSidegateStorage("async+sidegate+memory://"))
    assert sum([await limiter.hit(TEN, "alice") for _ in range(12)]) == 10
    assert await limiter.get_window_stats(TEN, "alice") == (clock.time() + 60, 0)
    clock.sleep(6)
    assert await limiter.test(TEN, "alice")
    assert not await limiter.test(TEN, "alice", cost=2)
    assert sum([await limiter.hit(TEN, "alice") for _ in range(2)]) == 1
    await limiter.clear(TEN, "alice")
    assert await limiter.get_window_stats(TEN, "alice") == (clock.time(), 10)


def test_several_limits_are_one_way_there_and_back() -> None:
    """All are charged, or none; and the fields cost nothing."""
    storage, asked = counted()
    limiter = TokenBucketRateLimiter(storage)
    assert limiter.hit_all(BOTH, "alice", cost=9)
    assert [limiter.get_window_stats(item, "alice").remaining for item in BOTH] == [1, 3]
    assert asked.times == 1
    assert not limiter.hit_all(BOTH, "alice", cost=3)
    assert not limiter.hit_all(BOTH, "alice", cost=11)  # more than ten never pass
    assert asked.times == 2
    assert [limiter.test(item, "alice", cost=left) for item, left in zip(BOTH, (1, 3), strict=True)]
    assert [limiter.get_window_stats(item, "alice").remaining for item in BOTH] == [1, 3]


async def test_several_limits_in_loops() -> None:
    storage, asked = counted_in_loops()
    limiter = AsyncTokenBucketRateLimiter(storage)
    assert await limiter.hit_all(BOTH, "alice", cost=9)
    assert not await limiter.hit_all(BOTH, "alice", cost=3)
    assert not await limiter.hit_all(BOTH, "alice", cost=11)
    assert asked.times == 2
    assert (await limiter.get_window_stats(BOTH[1], "alice")).remaining == 3


def test_a_storage_of_theirs_counts_by_windows() -> None:
    """That is what in_memory_fallback hands to the strategy."""
    limiter = TokenBucketRateLimiter(MemoryStorage())
    assert limiter.hit_all(BOTH, "alice", cost=10)
    assert not limiter.hit_all(BOTH, "alice")
    assert not limiter.hit(TEN, "alice")
    assert not limiter.test(TEN, "alice")
    assert limiter.get_window_stats(TEN, "alice").remaining == 0
    limiter.clear(TEN, "alice")
    assert limiter.test(TEN, "alice")


async def test_a_storage_of_theirs_in_loops() -> None:
    limiter = AsyncTokenBucketRateLimiter(AsyncMemoryStorage())
    assert await limiter.hit_all(BOTH, "alice", cost=10)
    assert not await limiter.hit_all(BOTH, "alice")
    assert not await limiter.hit(TEN, "alice")
    assert not await limiter.test(TEN, "alice")
    assert (await limiter.get_window_stats(TEN, "alice")).remaining == 0
