"""A lone check leaves at once, when those before came one by one; what follows it, together."""

import asyncio

from sidegate.client.client import Client
from sidegate.client.turn import LONE_TURNS
from sidegate.protocol.messages import Checks, Refund
from tests.middleware.client.puppet_client import pair, say, session_of
from tests.support.in_process.cluster import client, cluster, eventually, link_of
from tests.support.in_process.puppets import Puppet
from tests.support.telemetry import sdk

DAY = "5/day"


async def one_by_one(asking: Client, other: Puppet, count: int = LONE_TURNS) -> None:
    """Ask so many checks, each once the one before has its answer."""
    for at in range(count):
        asked = asking.check(f"k{at}", DAY)
        await say(other, [1, 1])
        await asked


def is_sent_at_once(asking: Client, key: str = "lone") -> bool:
    """Ask; was the check sent before the loop came to anything else?"""
    before = link_of(asking).in_flight
    asking.check(key, DAY)
    return link_of(asking).in_flight > before


async def test_a_check_after_lone_ones_is_sent_at_once() -> None:
    async with pair() as (asking, other):
        await one_by_one(asking, other, LONE_TURNS - 1)
        assert not is_sent_at_once(asking)
        await say(other, [1, 1])
        await eventually(lambda: not link_of(asking).in_flight)
        assert is_sent_at_once(asking)
        assert (await say(other, [1, 1])).checks == [("lone", DAY, 1)]


async def test_those_that_follow_in_its_turn_leave_together_and_the_next_ones_too() -> None:
    async with pair() as (asking, other):
        await one_by_one(asking, other)
        futures = [asking.check(f"k{at}", DAY) for at in range(4)]
        frames = [await say(other, [1, 1]), await say(other, *[[1, 1]] * 3)]
        await asyncio.gather(*futures)
        assert [[key for key, _, _ in frame.checks] for frame in frames] == [
            ["k0"],
            ["k1", "k2", "k3"],
        ]
        futures = [asking.check(f"k{at}", DAY) for at in range(4)]
        assert len((await say(other, *[[1, 1]] * 4)).checks) == 4
        await asyncio.gather(*futures)


async def test_one_that_finds_another_in_flight_waits_for_the_end_of_its_turn() -> None:
    async with pair() as (asking, other):
        await one_by_one(asking, other)
        assert is_sent_at_once(asking)
        assert not is_sent_at_once(asking, "second")
        for _ in range(2):
            await say(other, [1, 1])
        await eventually(lambda: not link_of(asking).in_flight)
        assert not is_sent_at_once(asking)  # they came in twos just now


async def test_a_refund_before_it_in_its_turn_is_said_in_front_of_it() -> None:
    async with pair() as (asking, other):
        await one_by_one(asking, other)
        asked = asking.check("k", DAY)
        await say(other, [1, 1])
        asking.refund("k", await asked)
        asking.check("k", DAY)
        await eventually(lambda: any(isinstance(it, Checks) for it in other.heard))
        told = [type(it) for it in other.heard if isinstance(it, (Refund, Checks))]
        assert told == [Refund, Checks]


async def test_checks_that_are_made_together_stay_in_one_frame() -> None:
    async with pair() as (asking, other):
        await one_by_one(asking, other)
        made = asyncio.ensure_future(asking.check_all([("a", DAY, 1), ("b", DAY, 1)]))
        assert len((await say(other, [1, 1], [1, 1])).checks) == 2
        assert len(await made) == 2


async def test_without_a_sidecar_the_decision_is_there_at_once() -> None:
    async with pair(on_unreachable="open") as (asking, other):
        await one_by_one(asking, other)
        await session_of(asking).close()
        assert (await asking.check("k", DAY)).source == "open"


async def test_who_traces_waits_for_its_span() -> None:
    async with cluster("n1") as nodes, client(nodes[0], otel=True) as asking:
        for at in range(LONE_TURNS + 2):
            with sdk().request():
                await asking.check(f"lone.traced:{at}", DAY)
    assert len(sdk().spans("lone.traced")) == LONE_TURNS + 2
