"""The asyncio client and denials: which it remembers, for what, and when it forgets them."""

import asyncio

from sidegate.buckets.decision import Decision, Source
from sidegate.link.health import LinkState
from sidegate.protocol.messages import Checks, Pong
from tests.middleware.client.puppet_client import SOON, link_state, pair, say, session_of
from tests.support.in_process.cluster import (
    GENEROUS,
    admitted,
    client,
    cluster,
    eventually,
    key_of,
    sources,
)


async def test_a_denial_is_remembered_while_it_holds() -> None:
    async with pair(remember_denials=True) as (asking, other):
        first = asking.check("k", "5/day")
        debt = 5 * 86_400 * 10**9
        await say(other, [0, debt])
        assert (await first).source == "owner"
        decisions = await asyncio.gather(*(asking.check("k", "5/day") for _ in range(100)))
        assert sources(decisions) == {"remembered": 100}
        assert admitted(decisions) == 0
        assert all(0 < decision.retry_after < first.result().retry_after for decision in decisions)
        assert not [it for it in other.heard if isinstance(it, Checks)]


async def test_a_denial_of_one_check_is_none_of_another() -> None:
    """Another key, other limits or another cost are asked about, and so is everything later."""
    async with cluster("n1") as (node,), client(node, remember_denials=True) as asking:
        await asking.check("k", "5/day", 4)
        assert not (await asking.check("k", "5/day", 2)).allowed
        others = [
            await asking.check("k", "5/day", 1),
            await asking.check("k", "6/day", 2),
            await asking.check("l", "5/day", 2),
            await asking.check("k", "5/day", 0),
        ]
        assert [(it.allowed, it.source) for it in others] == [(True, Source.OWNER)] * 4
        assert (await asking.check("k", "5/day", 2)).source == "remembered"


async def test_a_denial_is_forgotten_when_the_check_can_pass() -> None:
    async with cluster("n1") as (node,), client(node, remember_denials=True) as asking:
        await asking.check("k", "10/second burst 1")
        decisions: list[Decision] = []
        while not admitted(decisions):
            decisions.append(await asking.check("k", "10/second burst 1"))
            await asyncio.sleep(0)
    assert decisions[-1].source == "owner"
    assert "remembered" in sources(decisions)


async def test_a_denial_is_forgotten_at_once_when_its_key_is_reset() -> None:
    """Whoever resets a key, at whichever node: the next check of it is asked, others are not."""
    async with cluster("n1", "n2") as (one, two), client(one, remember_denials=True) as asking:
        keys = [key_of(owner, one.cluster.ring) for owner in ("n1", "n2")]
        for key in (*keys, "kept"):
            await asking.check(key, "1/hour")
            assert not (await asking.check(key, "1/hour")).allowed
            assert (await asking.check(key, "1/hour")).source == "remembered"
        for node, key in zip((two, one), keys, strict=True):  # each asks the other
            await node.node.inspect(key, reset=True)
        await eventually(lambda: {key for key, *_ in session_of(asking).denials.table} == {"kept"})
        decisions = [await asking.check(key, "1/hour") for key in (*keys, "kept")]
    assert [(it.allowed, it.source) for it in decisions] == [
        (True, "owner"),
        (True, "owner"),
        (False, "remembered"),
    ]


async def test_a_client_may_forget_denials() -> None:
    async with cluster("n1") as (node,), client(node, remember_denials=False) as asking:
        decisions = [await asking.check("k", "1/day") for _ in range(20)]
    assert sources(decisions) == {"owner": 20}


async def test_a_refusal_for_want_of_a_sidecar_is_not_remembered() -> None:
    """What nobody decided holds for nobody: the sidecar is asked as soon as it is there."""
    async with pair(on_unreachable="closed", remember_denials=True, budget=SOON) as (asking, other):
        assert (await asking.check("k", "5/day")).source == "closed"
        await other.say(Pong(0))
        await eventually(lambda: link_state(asking) is LinkState.UP)
        other.heard.clear()
        session_of(asking).budget = GENEROUS
        future = asking.check("k", "5/day")
        await say(other, [1, 0])
        assert (await future).source == "owner"
