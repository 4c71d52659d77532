"""What was answered a moment ago isn't asked for again, in the same context and for a second."""

from contextvars import copy_context
from threading import Thread

import pytest
from limits import parse
from limits.strategies import FixedWindowRateLimiter

from sidegate.compat.limits import SidegateStorage, TokenBucketRateLimiter
from tests.compat.limits.plug.clock import Clock
from tests.middleware.compat.limits.asked import Asked, counted

TEN = parse("10/minute")


@pytest.fixture
def asked_by(clock: Clock) -> tuple[SidegateStorage, Asked]:  # noqa: ARG001 - it stands still
    return counted()


def test_fields_cost_no_look_of_their_own(asked_by: tuple[SidegateStorage, Asked]) -> None:
    """Those of the strategy none at all, of theirs one: the end is known with what is left."""
    storage, asked = asked_by
    bucket = TokenBucketRateLimiter(storage)
    assert bucket.hit(TEN, "alice")
    assert bucket.get_window_stats(TEN, "alice").remaining == 9
    assert asked.times == 1
    window = FixedWindowRateLimiter(storage)
    assert window.hit(TEN, "alice")
    assert window.get_window_stats(TEN, "alice").remaining == 9
    assert asked.times == 3


def test_a_test_asks_always_and_fields_go_by_it(asked_by: tuple[SidegateStorage, Asked]) -> None:
    storage, asked = asked_by
    bucket = TokenBucketRateLimiter(storage)
    bucket.hit(TEN, "alice")
    TokenBucketRateLimiter(SidegateStorage("sidegate+memory://")).hit(TEN, "alice", cost=5)
    assert bucket.test(TEN, "alice", cost=9)
    assert not bucket.test(TEN, "alice", cost=10)
    assert bucket.get_window_stats(TEN, "alice").remaining == 9
    assert asked.times == 3


def test_it_is_told_for_a_second(asked_by: tuple[SidegateStorage, Asked], clock: Clock) -> None:
    storage, asked = asked_by
    bucket = TokenBucketRateLimiter(storage)
    bucket.hit(TEN, "alice", cost=10)
    clock.sleep(1)
    assert bucket.get_window_stats(TEN, "alice").remaining == 0
    clock.sleep(5.1)
    assert bucket.get_window_stats(TEN, "alice").remaining == 1
    assert asked.times == 2
    clock.sleep(-3)  # a clock that was put back
    bucket.get_window_stats(TEN, "alice")
    assert asked.times == 3


def test_another_context_looks_itself(asked_by: tuple[SidegateStorage, Asked]) -> None:
    storage, asked = asked_by
    bucket = TokenBucketRateLimiter(storage)
    copy_context().run(bucket.hit, TEN, "alice")
    thread = Thread(target=bucket.hit, args=(TEN, "alice"))
    thread.start()
    thread.join()
    assert bucket.get_window_stats(TEN, "alice").remaining == 8
    assert asked.times == 3


def test_a_reset_is_seen_at_once(asked_by: tuple[SidegateStorage, Asked]) -> None:
    storage, _ = asked_by
    bucket = TokenBucketRateLimiter(storage)
    for reset in (lambda: bucket.clear(TEN, "alice"), storage.reset):
        bucket.hit(TEN, "alice")
        reset()
        assert bucket.get_window_stats(TEN, "alice").remaining == 10


def test_sixteen_are_kept(asked_by: tuple[SidegateStorage, Asked]) -> None:
    """So a thread that goes on for ever keeps no more."""
    storage, asked = asked_by
    bucket = TokenBucketRateLimiter(storage)
    for number in range(17):
        bucket.hit(TEN, f"client {number}")
    for number in range(1, 17):
        bucket.get_window_stats(TEN, f"client {number}")
    assert asked.times == 17
    bucket.get_window_stats(TEN, "client 0")
    assert asked.times == 18


def test_each_storage_is_told_its_own(asked_by: tuple[SidegateStorage, Asked]) -> None:
    storage, _ = asked_by
    TokenBucketRateLimiter(storage).hit(TEN, "alice", cost=4)
    other, asked = counted()
    assert TokenBucketRateLimiter(other).get_window_stats(TEN, "alice").remaining == 10
    assert asked.times == 1
