"""Limits in this process alone: what they decide, and what can be done to them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidegate.buckets.buckets import BucketTable
from sidegate.buckets.decision import Source
from sidegate.buckets.limits import SECOND, Limits, parse_limits
from sidegate.client.memory import Memory, switched_off
from sidegate.errors import CostError

MINUTE = parse_limits("3/minute")


def ask(memory: Memory, key: str = "k", limits: Limits = MINUTE, cost: int = 1) -> bool:
    """Ask for tokens; were they there?"""
    decision = memory.decide((key, limits.text, cost), limits)
    assert (decision.source, decision.limits, decision.cost) == (Source.MEMORY, limits, cost)
    return decision.allowed


def test_limits_are_whole() -> None:
    memory = Memory()
    assert [ask(memory) for _ in range(4)] == [True, True, True, False]
    assert ask(memory, "other")


def test_time_that_is_moved_on_refills_buckets() -> None:
    memory = Memory()
    assert [ask(memory) for _ in range(4)] == [True, True, True, False]
    memory.advance(19)
    assert not ask(memory)
    memory.advance(1)
    assert [ask(memory) for _ in range(2)] == [True, False]
    memory.advance(1e9)
    assert [ask(memory) for _ in range(4)] == [True, True, True, False]


def test_a_wait_is_as_long_as_the_decision_says() -> None:
    memory = Memory()
    memory.decide(("k", MINUTE.text, 3), MINUTE)
    denied = memory.decide(("k", MINUTE.text, 2), MINUTE)
    assert 39 < denied.retry_after <= 40
    memory.advance(denied.retry_after)
    assert ask(memory, cost=2)


@pytest.mark.parametrize("seconds", [-1, -1e-9, math.inf, math.nan])
def test_time_goes_on_by_numbers_from_0_up(seconds: float) -> None:
    with pytest.raises(ValueError, match=r"seconds=.*: expected a number from 0 up"):
        Memory().advance(seconds)


def test_time_is_moved_by_a_thousand_years_at_most() -> None:
    """Windows are those of a calendar, which ends in 9999."""
    memory, year = Memory(), 365 * 86_400
    memory.advance(999 * year)
    limits = parse_limits("1/month window Asia/Tokyo")
    assert memory.decide(("k", limits.asked, 1), limits).allowed
    with pytest.raises(ValueError, match=r"seconds=.*: expected at most 1,000 years in all"):
        memory.advance(2 * year)
    assert not memory.decide(("k", limits.asked, 1), limits).allowed


def test_a_key_is_filled_again_and_others_stay() -> None:
    memory = Memory()
    for key in ("k", "other"):
        ask(memory, key, cost=3)
    memory.fill("k")
    memory.fill("never seen")
    assert ask(memory)
    assert not ask(memory, "other")


def test_all_is_reset() -> None:
    memory = Memory()
    ask(memory, cost=3)
    memory.advance(10)
    memory.reset()
    assert memory.keys() == []
    assert [ask(memory) for _ in range(4)] == [True, True, True, False]


def test_what_is_spent_is_told_by_limit() -> None:
    memory = Memory()
    limits = parse_limits("10/minute; 100/day")
    assert memory.spent("k") == {}
    ask(memory, limits=limits, cost=4)
    assert memory.spent("k") == {"10/minute": 4, "100/day": 4}
    memory.advance(9)  # a token is back, and a half
    assert memory.spent("k") == {"10/minute": 3, "100/day": 4}
    memory.advance(60)
    assert memory.spent("k") == {"100/day": 4}
    ask(memory, "other")
    assert memory.keys() == ["k", "other"]


@given(
    tokens=st.integers(1, 10**6),
    window=st.sampled_from(["second", "7 seconds", "minute", "day", "365 days"]),
    share=st.floats(0, 1),
)
def test_what_is_spent_is_what_was_charged(tokens: int, window: str, share: float) -> None:
    """Whatever a token's part of a window is in nanoseconds, if no time goes by."""
    memory, limits = Memory(), parse_limits(f"{tokens}/{window}")
    memory._now = lambda: 5 * SECOND  # type: ignore[method-assign]
    cost = round(share * tokens)
    ask(memory, limits=limits, cost=cost)
    assert memory.spent("k") == ({str(limits): cost} if cost else {})


def test_what_takes_no_room_is_forgotten() -> None:
    memory = Memory()
    for number in range(100):
        ask(memory, f"k{number}")
    memory.advance(3_600)
    for _ in range(100):
        ask(memory, "k", cost=0)
    table = memory._buckets
    assert isinstance(table, BucketTable)
    assert len(table) == 0


def test_a_cost_that_can_never_pass_is_an_error() -> None:
    with pytest.raises(CostError):
        ask(Memory(), cost=4)


def test_switched_off_allows_everything() -> None:
    for _ in range(5):
        decision = switched_off(("k", MINUTE.text, 2), MINUTE)
        assert (decision.allowed, decision.source, decision.remaining) == (True, "open", None)
