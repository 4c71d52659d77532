"""Two nodes of one name: which of them the others are linked to, and which one joins."""

from contextlib import AsyncExitStack

import pytest

from sidegate.link.health import LinkState
from sidegate.protocol.codec import WireError
from sidegate.protocol.messages import Hello
from sidegate_ring.membership.membership import Life, Rumor
from sidegate_ring.membership.messages import claim_of
from sidegate_sidecar.cluster.cluster import Stage
from sidegate_sidecar.cluster.records.claims import tag_of_process
from tests.support.in_process.beside import meet
from tests.support.in_process.cluster import are_one_ring, cluster, eventually, running
from tests.support.in_process.puppet_members import news
from tests.support.in_process.puppets import bare, node_named, puppet

FIRST, SECOND = b"a" * 16, b"b" * 16


def hello(instance: bytes) -> Hello:
    return node_named("n2", "127.0.0.1:9").hello(instance.ljust(32))


def claimed_by(instance: bytes, address: str, life: Life = Life.ALIVE) -> Rumor:
    """Return the rumor of an n2 that has claimed its name."""
    claim = claim_of(100, tag_of_process(instance))
    return Rumor("n2", address, 10**6, int(life), 1, claim=claim)


async def test_who_has_claimed_its_name_is_accepted_and_no_other() -> None:
    """While a link is up to another one, which stands still, say."""
    async with cluster("n1") as (node,), puppet("n2", instance=FIRST) as first:
        await meet(node, first)
        with pytest.raises(WireError, match="another node is named 'n2'"):
            node.peers.approve(hello(SECOND))
        await first.say(news(claimed_by(SECOND, "127.0.0.1:9")))
        await eventually(lambda: node.peers.inbox.has_claimed(hello(SECOND)))
        node.peers.approve(hello(SECOND))
        node.peers.approve(hello(FIRST))  # until the second one is linked
        with pytest.raises(WireError, match="another node is named 'n2'"):
            node.peers.approve(hello(b"c" * 16))


async def test_who_has_claimed_its_name_is_looked_for_and_takes_the_place_of_the_other() -> None:
    """Of whom all connections end, also the one that it has dialled."""
    async with (
        cluster("n1") as (node,),
        puppet("n2", instance=FIRST) as first,
        puppet("n2", instance=SECOND) as second,
        bare(node, node_named("n2", str(first.address), instance=FIRST)) as dialled,
    ):
        await eventually(lambda: node.peers.is_up("n2"))
        assert node.peers.by_name["n2"].link.address == first.address
        await first.say(news(claimed_by(SECOND, str(second.address))))
        assert "another node of this name has taken its place" in (await dialled.error()).text
        await eventually(lambda: not first.connections)
        assert node.peers.by_name["n2"].link.address == second.address
        assert node.peers.by_name["n2"].state is LinkState.UP


async def test_whose_place_was_taken_is_not_let_in_again_until_the_other_is_gone() -> None:
    """Also while the other can't be reached for a moment, as when its link is being dialled."""
    first, second = (node_named("n2", "0.0.0.0:9", instance=it) for it in (FIRST, SECOND))
    async with cluster("n1") as (node,), puppet("n3") as third:
        await meet(node, third)
        async with bare(node, first) as replaced, bare(node, second) as standing:
            error = await replaced.error()
            await standing.ping()
        assert (error.code, node.node.counts.turned_away) == ("name", {"name": 1})
        assert "'n2': another node of this name has taken its place" in error.text
        await third.say(news(Rumor("n2", "127.0.0.1:9", 10**6, Life.ALIVE, 1)))
        await eventually(lambda: not node.peers.inbox.is_gone("n2"))
        assert not node.peers.is_up("n2")
        with pytest.raises(WireError, match="another node is named 'n2'"):
            node.peers.approve(hello(FIRST))
        node.peers.approve(hello(SECOND))
        await third.say(news(Rumor("n2", "127.0.0.1:9", 10**6, Life.LEFT, 1)))
        await eventually(lambda: node.peers.inbox.is_gone("n2"))
        node.peers.approve(hello(FIRST))


async def test_a_claim_of_one_that_is_gone_is_none() -> None:
    async with cluster("n1") as (node,), puppet("n3") as third:
        await meet(node, third)
        assert node.peers.inbox.has_claimed(hello(SECOND)) is None
        await third.say(news(claimed_by(SECOND, "127.0.0.1:9")))
        await eventually(lambda: node.peers.inbox.has_claimed(hello(SECOND)))
        assert node.peers.inbox.has_claimed(hello(FIRST)) is False
        await third.say(news(claimed_by(SECOND, "127.0.0.1:9", Life.LEFT)))
        await eventually(lambda: node.peers.inbox.has_claimed(hello(SECOND)) is None)


async def test_a_node_that_one_member_refuses_for_its_name_does_not_join(
    stack: AsyncExitStack,
) -> None:
    """One that has lost its link to the first lets it in; the first goes on as if nothing was."""
    one = await running(stack, "n1")
    first = await running(stack, "n2", one)
    three = await running(stack, "n3", one)
    await eventually(lambda: are_one_ring([one, first, three]))
    one.peers.by_name["n2"].link.close_soon()
    await eventually(lambda: not one.peers.is_up("n2"))
    second = await running(stack, "n2", one)
    await eventually(lambda: second.discovery.refusal)
    assert "refuses this one: another node is named 'n2'" in second.why_not_ready
    await eventually(lambda: are_one_ring([one, first, three]))
    await eventually(lambda: one.peers.by_name["n2"].link.address == first.link)
    assert (first.ready, second.ready) == (True, False)
    assert first.cluster.ring.nodes == ("n1", "n2", "n3")


async def test_a_member_that_hears_of_a_later_claim_to_its_name_starts_anew() -> None:
    """It decides nothing until it has found out that nobody else has the name, and claims it."""
    async with cluster("n1", "n2") as (one, node), puppet("n3") as third:
        await meet(node, third)
        stages = list[Stage]()
        node.cluster.place.on_stage = stages.append
        await third.say(news(claimed_by(b"c" * 16, "127.0.0.1:9")._replace(claim=2**61)))
        await eventually(lambda: Stage.STARTING in stages)
        await eventually(lambda: stages[-1] is Stage.MEMBER)
        assert node.cluster.membership.me.claim > 2**61
        await eventually(lambda: {"n1", "n2", "n3"} == {*one.cluster.ring.nodes})
