"""Giving back, and several keys at once, from an event loop over a link."""

import asyncio

import pytest

from sidegate.buckets.decision import Decision, Source
from sidegate.buckets.limits import parse_limits
from sidegate.client.client import Client
from sidegate.errors import CheckError, CostError, NoEventLoop
from sidegate.link.health import LinkState
from sidegate.protocol.messages import MAX_REFUNDS, Answer, Checks, Refund
from tests.middleware.client.puppet_client import link_state, nobody, pair, say
from tests.support.in_process.cluster import client, cluster, eventually, key_of
from tests.support.in_process.puppets import Puppet

DAY = "5/day; 9/week"


async def decided(asking: Client, other: Puppet, *answer: int) -> Decision:
    """Have a check of three tokens decided by the puppet."""
    asked = asking.check("k", DAY, 3)
    await say(other, [*answer])
    return await asked


async def heard(other: Puppet) -> list[Refund | Checks]:
    """Return what has come, up to the next checks."""
    await eventually(lambda: any(isinstance(it, Checks) for it in other.heard))
    return [it for it in other.heard if isinstance(it, (Refund, Checks))]


async def test_a_turn_says_its_refunds_in_one_frame_in_front_of_its_checks() -> None:
    async with pair() as (asking, other):
        made = await decided(asking, other, 1, 3, 3)
        asked = asking.check("l", DAY)
        asking.refund("k", made)
        asking.refund("k", made, parse_limits("9/week"))
        refund, checks = await heard(other)
        assert refund == Refund(0, [("k", DAY, 3), ("k", "9/week", 3)])
        assert checks.checks == [("l", DAY, 1)]
        await say(other, [1, 1, 1])
        assert (await asked).allowed


async def test_a_turn_without_checks_asks_nothing() -> None:
    async with pair() as (asking, other):
        asking.refund("k", await decided(asking, other, 1, 3, 3))
        assert (await other.hear(Refund)).checks == [("k", DAY, 3)]
        assert not other.heard


async def test_what_does_not_fit_into_a_frame_is_said_in_another() -> None:
    async with pair() as (asking, other):
        made = await decided(asking, other, 1, 3, 3)
        for _ in range(MAX_REFUNDS + 1):
            asking.refund("k", made)
        sizes = [len((await other.hear(Refund)).checks) for _ in range(2)]
        assert sizes == [MAX_REFUNDS, 1]


@pytest.mark.parametrize("policy", ["open", "closed", "local"])
async def test_what_nobody_charged_is_not_given_back(policy: str) -> None:
    """Nor does it wait for a sidecar."""
    async with nobody(on_unreachable=policy) as asking:
        made = await asking.check("k", DAY)
        assert made.source == policy
        asking.refund("k", made)
        assert asking._here().turn is None


async def test_what_cannot_be_said_at_once_is_never_said() -> None:
    """Not over the next connection either."""
    async with pair() as (asking, other):
        made = await decided(asking, other, 1, 3, 3)
        await other.stop()
        await eventually(lambda: link_state(asking) is LinkState.DOWN)
        asking.refund("k", made)
        await other.start(other.address.port)
        await eventually(lambda: link_state(asking) is LinkState.UP)
        other.heard.clear()
        asked = asking.check("l", DAY)
        assert [type(it) for it in await heard(other)] == [Checks]
        await say(other, [1, 1, 1])
        await asked


def test_outside_of_a_loop_it_is_an_error() -> None:
    made = Decision(True, parse_limits(DAY), 1, [1, 1], Source.OWNER)
    with pytest.raises(NoEventLoop):
        Client("127.0.0.1:1").refund("k", made)


async def test_it_comes_back_wherever_its_owner_is() -> None:
    """Also for who was denied a moment ago, and for who waits."""
    async with cluster("n1", "n2") as nodes, client(nodes[0], remember_denials=True) as asking:
        for name in ("n1", "n2"):
            key = key_of(name, nodes[0].cluster.ring)
            made = await asking.check(key, "3/day", 3)
            assert not (await asking.check(key, "3/day", 3)).allowed
            asking.refund(key, made)
            made = await asking.check(key, "3/day", 3)
            assert (made.allowed, made.node) == (True, name)
            waiting = asyncio.ensure_future(asking.acquire(key, "3/day", 2))
            await asyncio.sleep(0)
            asking.refund(key, made)
            assert (await waiting).remaining == 1


# Several at once


async def test_all_are_asked_in_one_frame() -> None:
    async with pair() as (asking, other):
        asked = asyncio.ensure_future(asking.check_all([("a", DAY, 1), ("b", "5 per day", 2)]))
        frame = await say(other, [1, 1, 1], [1, 2])
        assert frame.checks == [("a", DAY, 1), ("b", "5/day", 2)]
        assert [it and it.debts for it in await asked] == [[1, 1], [2]]


@pytest.mark.parametrize("answer", [[0, 9], "a reason"])
async def test_what_the_others_charged_is_given_back(answer: Answer) -> None:
    """Where one is denied, or can't be decided."""
    async with pair() as (asking, other):
        asked = asyncio.ensure_future(
            asking.check_all([("a", DAY, 1), ("b", "5/day", 2), ("c", "5/day", 3)])
        )
        await say(other, [1, 1, 1], answer, [1, 2])
        if isinstance(answer, str):
            with pytest.raises(CheckError, match=answer):
                await asked
        else:
            assert [it and it.allowed for it in await asked] == [True, False, True]
        assert (await other.hear(Refund)).checks == [("a", DAY, 1), ("c", "5/day", 3)]


async def test_where_one_was_denied_a_moment_ago_nobody_is_asked() -> None:
    async with cluster("n1") as (node,), client(node, remember_denials=True) as asking:
        await asking.check("b", "1/day")
        assert not (await asking.check("b", "1/day")).allowed
        frames = node.node.asked
        none, denied = await asking.check_all([("a", DAY, 1), ("b", "1/day", 1)])
        assert none is None
        assert denied is not None
        assert denied.source is Source.REMEMBERED
        assert node.node.asked == frames


async def test_what_cannot_be_asked_charges_nothing() -> None:
    async with cluster("n1") as (node,), client(node) as asking:
        with pytest.raises(CostError):
            await asking.check_all([("a", DAY, 1), ("b", DAY, 6)])
        assert (await asking.check("a", DAY, 0)).remaining == 5


async def test_of_many_that_compete_for_the_last_tokens_none_takes_a_part() -> None:
    """All or none, over two owners: in the end as much is spent as was allowed."""
    async with cluster("n1", "n2") as nodes, client(nodes[0]) as asking:
        one, two = (key_of(name, nodes[0].cluster.ring) for name in ("n1", "n2"))
        made = await asyncio.gather(
            *(asking.check_all([(one, "20/day", 1), (two, "9/day", 1)]) for _ in range(30))
        )
        allowed = sum(all(it and it.allowed for it in each) for each in made)
        assert allowed == 9

        async def left() -> list[int | None]:
            return [
                (await asking.check(key, limit, 0)).remaining
                for key, limit in ((one, "20/day"), (two, "9/day"))
            ]

        assert await left() == [20 - 9, 0]
