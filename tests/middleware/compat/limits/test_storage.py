"""SidegateStorage as their strategies use it, on a clock that stands still."""

import logging

import pytest
from limits import RateLimitItem, parse
from limits.errors import StorageError
from limits.storage import storage_from_string
from limits.strategies import (
    FixedWindowRateLimiter,
    MovingWindowRateLimiter,
    RateLimiter,
    SlidingWindowCounterRateLimiter,
)

from sidegate import Unreachable
from sidegate.client.config import log_once
from sidegate.compat.limits import SidegateStorage
from sidegate.testing import isolated
from tests.compat.limits.plug.clock import Clock

TEN = parse("10/minute")


@pytest.fixture
def storage(clock: Clock) -> SidegateStorage:  # noqa: ARG001 - it stands still
    return SidegateStorage("sidegate+memory://")


def hits(limiter: RateLimiter, times: int, item: RateLimitItem = TEN) -> int:
    """Return how many of so many hits were allowed."""
    return sum(limiter.hit(item, "alice") for _ in range(times))


def test_a_fixed_window_admits_its_limit_until_it_ends(
    storage: SidegateStorage, clock: Clock
) -> None:
    limiter = FixedWindowRateLimiter(storage)
    begin = clock.time()
    clock.sleep(20)
    assert hits(limiter, 12) == 10
    assert limiter.get_window_stats(TEN, "alice") == (begin + 60, 0)
    clock.sleep(39.9)
    assert hits(limiter, 1) == 0
    clock.sleep(0.1)
    assert hits(limiter, 12) == 10


def test_a_month_has_30_days_and_a_year_360(storage: SidegateStorage, clock: Clock) -> None:
    limiter = FixedWindowRateLimiter(storage)
    for text, days in (("1/month", 30), ("1/year", 360)):
        item = parse(text)
        assert hits(limiter, 2, item) == 1
        assert limiter.get_window_stats(item, "alice").reset_time == clock.time() + days * 86_400


@pytest.mark.parametrize("kind", [MovingWindowRateLimiter, SlidingWindowCounterRateLimiter])
def test_other_windows_refill_and_admit_their_limit_in_each_window(
    storage: SidegateStorage, clock: Clock, kind: type[RateLimiter]
) -> None:
    """What has come back within a window may be spent in the next one only."""
    limiter = kind(storage)
    assert hits(limiter, 12) == 10
    clock.sleep(30)
    assert hits(limiter, 1) == 0
    clock.sleep(30)
    assert hits(limiter, 8) == 8
    clock.sleep(30)  # 5 come back to the bucket, and the window has 2 left
    assert limiter.get_window_stats(TEN, "alice").remaining == 2
    assert hits(limiter, 5) == 2
    clock.sleep(30)  # a window begins, and the bucket has 10 - 10 + 2 + 5 + 5 - 2
    assert hits(limiter, 12) == 10


@pytest.mark.parametrize(
    ("kind", "most"), [(FixedWindowRateLimiter, 20), (MovingWindowRateLimiter, 19)]
)
def test_a_window_across_two_of_the_clock_has_twice_the_limit_at_most(
    storage: SidegateStorage, clock: Clock, kind: type[RateLimiter], most: int
) -> None:
    """All at once with a fixed one, and evenly with a moving one."""
    limiter = kind(storage)
    clock.sleep(59)
    passed: list[int] = []
    for _ in range(60):
        passed.append(hits(limiter, 20))
        clock.sleep(1)
    assert sum(passed) == most
    assert max(passed[1:]) == (10 if kind is FixedWindowRateLimiter else 1)


@pytest.mark.parametrize("kind", [FixedWindowRateLimiter, MovingWindowRateLimiter])
def test_costs(storage: SidegateStorage, kind: type[RateLimiter]) -> None:
    """Fractions are rounded up; more than the limit, and a limit of 0, are denied."""
    limiter = kind(storage)
    assert limiter.hit(TEN, "alice", cost=1.5)  # type: ignore[arg-type]  # as slowapi has it
    assert limiter.get_window_stats(TEN, "alice").remaining == 8
    assert not limiter.hit(TEN, "alice", cost=11)
    assert not limiter.test(TEN, "alice", cost=11)
    assert limiter.get_window_stats(TEN, "alice").remaining == 8
    none = parse("0/minute")
    assert not limiter.hit(none, "alice")
    assert not limiter.test(none, "alice")
    assert limiter.get_window_stats(none, "alice").remaining == 0


def test_a_counter_says_what_theirs_says(storage: SidegateStorage) -> None:
    key = TEN.key_for("alice")
    assert [storage.incr(key, 60, 4) for _ in range(3)] == [4, 8, 12]
    assert storage.get(key) == 8  # and theirs 12: a hit that is denied isn't counted


def test_a_key_that_says_no_limit_is_named(storage: SidegateStorage) -> None:
    for key in ("test", "a/b/c/d", "LIMITER/10/1/fortnight", "LIMITER/-1/1/minute"):
        with pytest.raises(ValueError, match=f"key='{key}': expected one that RateLimitItem"):
            storage.incr(key, 60)


def test_clear_is_for_one_limit_of_one_key(storage: SidegateStorage) -> None:
    limiter = FixedWindowRateLimiter(storage)
    for name in ("alice", "bob"):
        limiter.hit(TEN, name)
        limiter.hit(parse("5/hour"), name)
    limiter.clear(TEN, "alice")
    left = [
        limiter.get_window_stats(item, name).remaining
        for item in (TEN, parse("5/hour"))
        for name in ("alice", "bob")
    ]
    assert left == [10, 9, 4, 4]


def test_reset_is_for_what_begins_with_its_prefix(clock: Clock) -> None:  # noqa: ARG001
    with isolated() as memory:
        ours, others = (SidegateStorage("sidegate://", key_prefix=it) for it in ("ours", "others"))
        for storage in (ours, others):
            hits(FixedWindowRateLimiter(storage), 3)
        assert ours.reset() == 1
        assert memory.keys() == ["others:LIMITER/alice/10/1/minute"]


def test_each_storage_in_memory_has_limits_of_its_own(storage: SidegateStorage) -> None:
    hits(FixedWindowRateLimiter(storage), 10)
    other = storage_from_string("sidegate+memory://")
    assert hits(FixedWindowRateLimiter(other), 10) == 10


def test_tests_take_any_storage_over() -> None:
    """Within `isolated` all ask the block's memory, wherever they would ask."""
    with isolated() as memory:
        for uri in ("sidegate://127.0.0.1:1", "sidegate+memory://"):
            item = parse("2/hour")
            assert hits(MovingWindowRateLimiter(storage_from_string(uri)), 3, item) == 2
            assert memory.keys() == ["limits:LIMITER/alice/2/1/hour"]
            memory.reset()


def test_what_differs_is_said_once(
    storage: SidegateStorage, caplog: pytest.LogCaptureFixture
) -> None:
    log_once.cache_clear()
    for _ in range(3):
        hits(FixedWindowRateLimiter(storage), 3)
        hits(MovingWindowRateLimiter(storage), 3)
        hits(SlidingWindowCounterRateLimiter(storage), 3)
    said = [(it.levelno, it.getMessage().split(":")[1]) for it in caplog.records]
    assert said == [
        (logging.WARNING, " fixed-window"),
        (logging.WARNING, " moving-window, sliding-window-counter"),
    ]


@pytest.mark.parametrize(("policy", "allowed"), [("open", 12), ("local", 10), ("closed", 0)])
def test_without_a_sidecar_the_policy_decides(nowhere: str, policy: str, allowed: int) -> None:
    storage = SidegateStorage(f"sidegate://{nowhere}", on_unreachable=policy)
    limiter = FixedWindowRateLimiter(storage)
    assert hits(limiter, 12, parse("10/year")) == allowed
    assert limiter.test(parse("10/year"), "alice") == (policy == "open")
    left = limiter.get_window_stats(parse("10/year"), "alice").remaining
    assert left == (10 if policy == "open" else 0)
    assert not storage.check()


def test_without_a_sidecar_raise_raises_theirs(nowhere: str) -> None:
    storage = SidegateStorage(f"sidegate://{nowhere}", on_unreachable="raise")
    for kind in (FixedWindowRateLimiter, MovingWindowRateLimiter, SlidingWindowCounterRateLimiter):
        limiter = kind(storage)
        for ask in (limiter.hit, limiter.test, limiter.get_window_stats):
            with pytest.raises(StorageError) as caught:
                ask(TEN, "alice")
            assert isinstance(caught.value.storage_error, Unreachable)
    assert not storage.check()


def test_a_reset_that_nobody_does_isnt_silent(nowhere: str) -> None:
    """Whatever the policy."""
    storage = SidegateStorage(f"sidegate://{nowhere}")
    with pytest.raises(StorageError):
        storage.clear(TEN.key_for("alice"))
    with pytest.raises(StorageError):
        storage.reset()
