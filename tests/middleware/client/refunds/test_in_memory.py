"""Giving back, and several keys at once, where limits are kept in the process."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidegate.buckets.buckets import BucketTable
from sidegate.buckets.decision import Decision, Source
from sidegate.buckets.limits import Limits, parse_limits
from sidegate.client.blocking import BlockingClient
from sidegate.client.client import Client
from sidegate.errors import CostError
from sidegate.testing import Memory, in_this_process, isolated

BOTH = "3/minute; 9/hour"
NOWHERE = "127.0.0.1:1"


def test_a_thread_gives_back(sidegate: Memory) -> None:
    with BlockingClient(NOWHERE) as client:
        decision = client.check("k", BOTH, 3)
        assert decision.source is Source.MEMORY
        client.refund("k", decision)
        assert sidegate.keys() == []
        again = client.check("k", BOTH, 3)
        client.refund("k", again, Limits([parse_limits("3/minute").items[0]]))
        assert sidegate.spent("k") == {"9/hour": 3}


async def test_a_task_gives_back(sidegate: Memory) -> None:
    async with Client(NOWHERE) as client:
        client.refund("k", await client.check("k", BOTH, 2))
        assert sidegate.keys() == []


async def test_who_waits_for_the_key_has_what_was_given_back(sidegate: Memory) -> None:
    async with Client(NOWHERE) as client:
        decision = await client.check("k", "1/day")
        waiting = asyncio.ensure_future(client.acquire("k", "1/day"))
        await asyncio.sleep(0)
        client.refund("k", decision)
        assert (await waiting).allowed
        assert sidegate.spent("k") == {"1/day": 1}


def test_the_mode_memory_gives_back() -> None:
    with BlockingClient("memory") as client:
        client.refund("given back", client.check("given back", BOTH))
        assert in_this_process().spent("given back") == {}


async def test_several_keys_in_a_loop(sidegate: Memory) -> None:
    async with Client(NOWHERE) as client:
        assert await client.check_all([]) == []
        [one] = await client.check_all([("a", BOTH, 1)])
        assert one is not None
        assert one.allowed
        refused = await client.check_all([("a", BOTH, 1), ("b", BOTH, 1), ("a", BOTH, 3)])
        assert [it is not None and it.allowed for it in refused] == [True, True, False]
        assert sidegate.keys() == ["a"]
        assert sidegate.spent("a") == {"3/minute": 1, "9/hour": 1}
        with pytest.raises(CostError):
            await client.check_all([("b", BOTH, 1), ("a", BOTH, 4)])
        assert sidegate.keys() == ["a"]


def test_several_keys_in_a_thread(sidegate: Memory) -> None:
    with BlockingClient(NOWHERE) as client:
        assert client.check_all([]) == []
        [one] = client.check_all([("a", BOTH, 1)])
        assert one is not None
        assert one.allowed
        refused = client.check_all([("a", BOTH, 1), ("b", BOTH, 1), ("a", BOTH, 3)])
        assert [it is not None and it.allowed for it in refused] == [True, True, False]
        assert sidegate.keys() == ["a"]
        with pytest.raises(CostError):
            client.check_all([("b", BOTH, 1), ("a", BOTH, 4)])
        assert sidegate.keys() == ["a"]


def test_of_a_block_nothing_is_given_back_to_another() -> None:
    with BlockingClient(NOWHERE) as client:
        with isolated():
            decision = client.check("k", BOTH, 3)
        with isolated() as other:
            client.refund("k", decision)
            assert other.keys() == []


@given(
    st.lists(st.tuples(st.integers(1, 4), st.booleans(), st.integers(0, 30)), max_size=30),
    st.sampled_from(["5/minute", "7/second burst 4", "4/minute; 9/hour"]),
)
def test_a_refund_at_once_leaves_what_would_be_without_the_check(
    steps: list[tuple[int, bool, int]], text: str
) -> None:
    """In the same moment it undoes a charge, whatever came before."""
    limits = parse_limits(text)
    with_refunds, without, now = BucketTable(), BucketTable(), 0
    for cost, is_given_back, seconds in steps:
        now += seconds * 10**9
        allowed, _ = with_refunds.take("k", limits, cost, now)
        if allowed and is_given_back:
            with_refunds.refund("k", limits, cost, now)
        elif allowed:
            without.take("k", limits, cost, now)
        assert with_refunds.held("k", now) == without.held("k", now)


@given(
    st.lists(st.tuples(st.integers(1, 4), st.booleans(), st.integers(0, 30)), max_size=40),
    st.sampled_from(["5/minute", "7/second burst 4"]),
)
def test_what_is_used_never_passes_the_burst_and_the_rate(
    steps: list[tuple[int, bool, int]], text: str
) -> None:
    """However late tokens are given back: what wasn't is never more than all that there was."""
    [limit] = parse_limits(text).items
    limits, table, now, used = Limits([limit]), BucketTable(), 0, 0
    pending: list[int] = []
    for cost, gives_back, seconds in steps:
        now += seconds * 10**9
        if gives_back and pending:
            late = pending.pop(0)
            table.refund("k", limits, late, now)
            used -= late
        allowed, _ = table.take("k", limits, cost, now)
        if allowed:
            used += cost
            pending.append(cost)
        assert used * limit.interval <= limit.capacity + now * limit.scale


def test_nothing_else_is_given_back(sidegate: Memory) -> None:
    """What a sidecar has charged isn't taken off the buckets of a test."""
    with BlockingClient(NOWHERE) as client:
        made = client.check("k", BOTH, 3)
        of_an_owner = Decision(True, made.limits, 3, made.debts, Source.OWNER)
        client.refund("k", of_an_owner)
        assert sidegate.spent("k") == {"3/minute": 3, "9/hour": 3}
