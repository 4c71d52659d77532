"""Peeking and resetting from an event loop over a link."""

import asyncio

import pytest

from sidegate.client.client import Client
from sidegate.errors import KeyTooLong, Unreachable
from sidegate.protocol.messages import Holdings, Inspect, Reset
from tests.middleware.client.puppet_client import SOON, nobody, pair, say, session_of
from tests.support.in_process.cluster import client, eventually
from tests.support.in_process.puppets import Puppet, puppet

DAY = "5/day; 9/week"
HELD = [("5/day", 3 * 17_280 * 10**9 - 1), ("9/week", 1)]  # ns: a token of the first takes 17,280 s
SPENT = {"5/day": 3, "9/week": 1}


async def answered(other: Puppet, asked: type[Inspect | Reset], source: str = "owner") -> None:
    """Answer the next question about a key."""
    message = await other.hear(asked)
    assert (message.hops, message.key) == (0, "k")
    await other.say(Holdings(message.id, source, "n7", HELD if source == "owner" else []))


async def test_tokens_that_are_partly_back_count_as_spent() -> None:
    async with pair() as (asking, other):
        peeked = asyncio.create_task(asking.peek("k"))
        await answered(other, Inspect)
        assert await peeked == SPENT


async def test_a_reset_forgets_denials_here_at_once() -> None:
    """It needn't wait for the word that all apps are sent."""
    async with pair(remember_denials=True) as (asking, other):
        first = asking.check("k", DAY)
        await say(other, [0, 5 * 17_280 * 10**9, 1])
        assert not (await first).allowed
        assert (await asking.check("k", DAY)).source == "remembered"
        forgotten = asyncio.create_task(asking.reset("k"))
        await answered(other, Reset)
        assert await forgotten == SPENT
        again = asking.check("k", DAY)
        await say(other, [1, 1, 1])
        assert (await again).allowed


async def test_who_waits_for_a_key_asks_when_it_was_reset() -> None:
    async with pair(remember_denials=True) as (asking, other):
        waiting = asyncio.create_task(asking.acquire("k", DAY))
        await say(other, [0, 5 * 17_280 * 10**9, 1])
        await eventually(lambda: session_of(asking).denials.table)
        forgotten = asyncio.create_task(asking.reset("k"))
        await answered(other, Reset)
        await forgotten
        await say(other, [1, 1, 1])
        assert (await waiting).allowed


@pytest.mark.parametrize("source", ["open", "closed", "local"])
async def test_an_owner_out_of_reach_is_an_error(source: str) -> None:
    """An empty answer would say that nothing is spent."""
    async with pair() as (asking, other):
        peeked = asyncio.create_task(asking.peek("k"))
        await answered(other, Inspect, source)
        with pytest.raises(Unreachable, match=r'^key "k": the sidecar can reach neither its owner'):
            await peeked


@pytest.mark.parametrize("policy", ["open", "closed", "local"])
async def test_without_a_sidecar_it_is_an_error_whatever_the_policy(policy: str) -> None:
    async with nobody(on_unreachable=policy) as asking:
        for ask in (asking.peek, asking.reset):
            with pytest.raises(Unreachable, match=r'key "k": Connect call failed') as caught:
                await ask("k")
            assert caught.value.key == "k"


async def test_a_sidecar_that_says_nothing_is_waited_for_one_budget() -> None:
    async with pair(budget=SOON) as (asking, _):
        for ask in (asking.peek, asking.reset):
            with pytest.raises(Unreachable, match="no answer within 50 ms"):
                await ask("k")


async def test_a_loop_that_is_late_reads_the_answer_all_the_same() -> None:
    """It has come in time, and waits to be read when the budget is over."""
    async with puppet() as other, client(other.address, budget=SOON) as asking:
        session_of(asking)
        await eventually(lambda: other.connections)
        peeked = asyncio.create_task(asking.peek("k"))
        message = await other.hear(Inspect)
        await other.say(Holdings(message.id, "owner", "n7", HELD))
        loop = asyncio.get_running_loop()
        until = loop.time() + 2 * SOON
        while loop.time() < until:
            pass  # the loop is busy
        assert await peeked == SPENT


async def test_a_link_that_breaks_is_not_waited_for() -> None:
    async with pair() as (asking, other):
        peeked = asyncio.create_task(asking.peek("k"))
        await other.hear(Inspect)
        other.connections[-1].abort()
        with pytest.raises(Unreachable):
            await peeked


async def test_a_sidecar_is_asked_about_a_few_at_a_time() -> None:
    """It would close the connection of all checks."""
    async with pair() as (asking, other):
        peeks = [asyncio.create_task(asking.peek("k")) for _ in range(100)]
        await eventually(lambda: len(other.heard) == 64)
        for _ in peeks:
            assert sum(isinstance(it, Inspect) for it in other.heard) <= 64
            await answered(other, Inspect)
        assert await asyncio.gather(*peeks) == [SPENT] * 100


@pytest.mark.parametrize(
    ("key", "error"), [("k" * 513, KeyTooLong), ("\ud800", ValueError), (7, TypeError)]
)
async def test_what_is_no_key_is_an_error_at_once(key: str, error: type[Exception]) -> None:
    async with Client("off") as asking:
        for ask in (asking.peek, asking.reset):
            with pytest.raises(error):
                await ask(key)
