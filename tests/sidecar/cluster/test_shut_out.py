"""A node that every node which answers refuses is not ready, and decides nothing for the ring."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest

from sidegate.link.address import Address
from sidegate_sidecar.cli.health import require_ready
from sidegate_sidecar.cluster.cluster import Stage
from sidegate_sidecar.errors import Failure
from sidegate_sidecar.links import discovery
from sidegate_sidecar.process import Process
from tests.support.in_process.cluster import are_one_ring, client, config, eventually, running
from tests.support.in_process.http_client import http

NOWHERE = Address("127.0.0.1", 1)


async def pair(stack: AsyncExitStack, **options: Any) -> tuple[Process, Process]:
    """Run two nodes on one ring."""
    one = await running(stack, "n1", **options)
    two = await running(stack, "n2", one, **options)
    await eventually(lambda: are_one_ring([one, two]))
    return one, two


async def sources(node: Process) -> set[str]:
    """Return who answers an app of this node, asked about some keys."""
    async with client(node) as app:
        return {str((await app.check(f"k{at}", "1/hour")).source) for at in range(20)}


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        ({"name": "n2"}, "name", "another node is named 'n2': give each its own --name"),
        ({"name": "n1"}, "namesake", "another node is named 'n1': give each its own --name"),
        ({"secret": b"another"}, "secret", "the two sides don't have the same secret"),
        ({"cluster": "another"}, "cluster", "this is cluster 'sidegate', not 'another'"),
    ],
    ids=["name-of-a-third", "name-of-the-seed", "secret", "cluster"],
)
async def test_a_node_that_its_seeds_refuse_is_not_ready(
    options: dict[str, Any], code: str, words: str, stack: AsyncExitStack
) -> None:
    """It says why to probes and commands, and answers by the policy; never as an owner.

    Those who refuse it count it, and go on as if nothing was.
    """
    one, two = await pair(stack, secret=b"sesame")
    given: dict[str, Any] = {"name": "n3", "secret": b"sesame", "seeds": (one.link,), **options}
    stranger = await stack.enter_async_context(Process(config(**given)))
    await eventually(lambda: stranger.discovery.refusal)
    [link] = stranger.peers.strangers
    assert (link.refusal_code, words in link.refusal) == (code, True)
    await eventually(lambda: one.node.counts.turned_away[code])
    async with http(stranger) as asking:
        answer = await asking.get("/readyz")
        assert (answer.status_code, words in answer.json()["detail"]) == (503, True)
        assert "sidegate_refused 1.0" in (await asking.get("/metrics")).text
    async with client(stranger, secret=str(given["secret"], "ascii")) as app:
        decisions = [await app.check(f"k{at}", "1/hour") for at in range(20)]
    assert {str(it.source) for it in decisions} == {"open"}
    assert (stranger.ready, stranger.cluster.ring.nodes) == (False, ())
    assert one.peers.by_name["n2"].link.address == two.link
    assert are_one_ring([one, two])


async def test_who_is_accepted_by_one_of_its_seeds_is_a_member(stack: AsyncExitStack) -> None:
    one = await running(stack, "n1")
    red = await running(stack, "n2", cluster="red")
    other = await running(stack, "n3", red, one)
    await eventually(lambda: are_one_ring([one, other]))
    assert other.ready


async def test_seeds_that_say_nothing_and_ones_own_address_refuse_nobody(
    stack: AsyncExitStack,
) -> None:
    """The first node of a cluster has nobody to ask."""
    node = Process(config("n1", seeds=(NOWHERE,)))
    await stack.enter_async_context(node)
    node.peers.meet([node.link])
    await eventually(lambda: node.ready)
    await eventually(lambda: node.node.counts.turned_away["self"])
    assert not node.peers.refusal()


async def test_who_is_refused_joins_once_it_is_accepted(
    stack: AsyncExitStack, log: pytest.LogCaptureFixture
) -> None:
    """The other node of its name has gone: nothing else has to be done."""
    one = await running(stack, "n1")
    async with AsyncExitStack() as first:
        two = await running(first, "n2", one)
        await eventually(lambda: are_one_ring([one, two]))
        other = await running(stack, "n2", one)
        await eventually(lambda: other.discovery.refusal)
    await eventually(lambda: are_one_ring([one, other]))
    assert other.why_not_ready == ""
    said = [it.getMessage() for it in log.records if it.levelname == "ERROR"]
    assert len([it for it in said if "not on the ring, deciding nothing" in it]) == 1


async def test_who_is_not_refused_any_more_by_anybody_is_the_first_in_the_end(
    stack: AsyncExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not at once: who refused it may only be slow to do so again."""
    monkeypatch.setattr(discovery, "SETTLE_WITHIN", 0.5)
    async with AsyncExitStack() as first:
        red = await running(first, "n1", cluster="red")
        node = await running(stack, "n2", red)
        await eventually(lambda: node.discovery.refusal)
    await eventually(lambda: node.ready)
    assert node.cluster.ring.nodes == ("n2",)


async def test_a_member_whose_name_was_given_away_decides_no_more(stack: AsyncExitStack) -> None:
    """All others say so when it dials them again, as one that stood still does when it wakes."""
    one, old = await pair(stack)
    one.peers.by_name["n2"].link.close_soon()
    await eventually(lambda: not one.peers.is_up("n2"))
    new = await running(stack, "n2", one)
    await eventually(lambda: not old.ready)
    await eventually(lambda: old.discovery.refusal)
    assert old.cluster.stage is Stage.STARTING
    assert await sources(old) == {"open"}
    await eventually(lambda: are_one_ring([one, new]))
    assert new.ready


async def test_a_member_that_a_stranger_of_its_name_refuses_goes_on(stack: AsyncExitStack) -> None:
    """Who comes second has no say; nor has a secret or a cluster that others have lost."""
    one = await running(stack, "n1", seeds=(NOWHERE,))
    await eventually(lambda: one.ready)
    other = await running(stack, "n1", one)
    await eventually(lambda: other.discovery.refusal)
    red = await running(stack, "n2", cluster="red")
    one.peers.meet([other.link, red.link])
    await eventually(
        lambda: {it.refusal_code for it in one.peers.strangers} >= {"namesake", "cluster"}
    )
    assert one.peers.refusal()
    one.discovery.look()
    assert one.ready
    assert await sources(one) == {"owner"}


async def test_the_health_command_says_why(stack: AsyncExitStack) -> None:
    one = await running(stack, "n1")
    other = await running(stack, "n1", one)
    await eventually(lambda: other.discovery.refusal)
    with pytest.raises(Failure, match="every node that answers refuses this one: another node is"):
        await asyncio.to_thread(require_ready, other.http)


async def test_a_leaf_is_refused_as_well(stack: AsyncExitStack) -> None:
    one = await running(stack, "n1")
    leaf = await running(stack, "n2", one, cluster="red", role="leaf")
    await eventually(lambda: leaf.discovery.refusal)
    assert not leaf.ready
