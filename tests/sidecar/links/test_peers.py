"""How nodes meet, what makes two of them the same, and what happens when one moves."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from sidegate.link.address import Address
from sidegate.link.health import LinkState
from sidegate.protocol.messages import Error
from sidegate.trust.secrets import SecretFile, known
from sidegate_ring.hashring import Ring
from sidegate_ring.membership.membership import Life, Rumor
from sidegate_sidecar.links import secret_files
from sidegate_sidecar.links.discovery import Discovery
from sidegate_sidecar.links.peers import MAX_STRANGERS
from sidegate_sidecar.process import Process
from tests.support.in_process.beside import meet
from tests.support.in_process.cluster import (
    are_one_ring,
    client,
    cluster,
    config,
    eventually,
    key_of,
    running,
    witness,
)
from tests.support.in_process.puppet_members import news
from tests.support.in_process.puppets import bare, node_named, puppet


def discovery_of(node: Process, *seeds: Address) -> Discovery:
    return Discovery(seeds, node.peers, node.cluster, node._join, node._shut_out)


async def ring_of(nodes: Sequence[Process]) -> None:
    await eventually(lambda: are_one_ring(nodes))


# How nodes meet


@pytest.mark.parametrize("known", [slice(1), slice(-1, None)], ids=["the-first", "the-one-before"])
async def test_nodes_that_know_only_one_become_one_ring(
    known: slice, stack: AsyncExitStack
) -> None:
    """Seeds in a star, or in a chain: in the end all know all."""
    nodes: list[Process] = []
    for name in ("n1", "n2", "n3", "n4", "n5"):
        nodes.append(await running(stack, name, *nodes[known]))
    await ring_of(nodes)
    assert all(node.cluster.agrees for node in nodes)


async def test_why_a_node_is_not_reached_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """However often it is dialled."""
    async with (
        puppet(secrets=known(b"hush")) as other,
        Process(config("n1", seeds=(other.address,))) as node,
    ):
        await eventually(lambda: len(other.errors) > 2)
        assert [link.refusal_code for link in node.peers.strangers] == ["secret"]
    said = [it.getMessage() for it in caplog.records if "link to" in it.getMessage()]
    assert len(said) == 1
    assert said[0].startswith(f"link to {other.address}: the two sides don't have the same secret")


async def test_nodes_that_all_know_all_become_one_ring(stack: AsyncExitStack) -> None:
    """Every node is a seed of every node, itself too, and all start at once."""
    nodes = [Process(config(name)) for name in ("n1", "n2", "n3")]
    for node in nodes:
        node.discovery = discovery_of(node, *(other.link for other in nodes))
    await asyncio.gather(*(stack.enter_async_context(node) for node in nodes))
    await ring_of(nodes)
    assert [node.peers.strangers for node in nodes] == [[], [], []]


async def test_a_seed_that_comes_later_is_met_when_it_comes(stack: AsyncExitStack) -> None:
    """A node whose seed isn't there yet is ready alone, and in a ring of two afterwards."""
    async with Process(config("late")) as late:
        address = late.link
    early = await running(stack, "early", seeds=(address,))
    await eventually(lambda: early.ready)
    assert early.cluster.ring.nodes == ("early",)
    late = await running(stack, "late", link=address)
    await ring_of([early, late])


async def test_a_node_that_is_its_own_seed_is_alone_and_ready(
    stack: AsyncExitStack, log: pytest.LogCaptureFixture
) -> None:
    """A node recognises itself, which is nothing to warn of, and doesn't go on dialling."""
    node = Process(config("n1"))
    node.discovery = discovery_of(node, node.link)
    await stack.enter_async_context(node)
    await eventually(lambda: node.ready and not node.peers._strangers)
    assert node.cluster.ring.nodes == ("n1",)
    assert dict(node.node.counts.turned_away) == {"self": 1}
    node.peers.meet([node.link])
    assert not node.peers._strangers
    assert not [it for it in log.records if it.levelno >= logging.WARNING]


async def test_a_node_is_let_in_when_its_secret_file_is_right(
    stack: AsyncExitStack, tmp_path: Path
) -> None:
    """Refused with one secret, a node meets the others once its file has theirs first."""
    file = tmp_path / "secret"
    file.write_text("guess\nhush")
    secrets = SecretFile(str(file))
    one = await running(stack, "n1", secret=b"other\nhush")
    two = await running(stack, "n2", one, secret_file=secrets)
    [link] = await eventually(lambda: two.peers.strangers)
    await eventually(lambda: link.refusal_code == "secret")
    file.write_text("hush\nother\n")
    await ring_of([one, two])


async def test_a_change_of_the_secret_file_is_in_the_log_though_nobody_dials(
    stack: AsyncExitStack,
    tmp_path: Path,
    log: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """So one can see that all nodes know a new secret, before any shows it."""
    monkeypatch.setattr(secret_files, "LOOK_EVERY", 0.01)
    file = tmp_path / "secret"
    file.write_text("old")
    secrets = SecretFile(str(file))
    await stack.enter_async_context(cluster("n1", secret_file=secrets))
    file.write_text("old\nnew")
    await eventually(lambda: f"secrets read again from {file}: 2 accepted" in log.text)


async def test_only_so_many_strangers_are_dialled() -> None:
    """A seed's name with thousands of addresses makes us dial a bounded number of them."""
    async with cluster("n1") as (node,):
        node.peers.meet(Address("127.0.0.2", at + 1) for at in range(MAX_STRANGERS + 500))
        assert len(node.peers._strangers) == MAX_STRANGERS


async def test_a_node_that_nobody_finds_is_none_after_a_while() -> None:
    """Whoever is only told of is dialled, and forgotten when nobody answers, link and all."""
    async with cluster("n1", "n3") as nodes, puppet("n2") as other:
        nodes[0].peers.meet([other.address])
        await eventually(lambda: all("n2" in node.cluster.ring for node in nodes))
        await other.say(news(Rumor("n9", "127.0.0.1:9", 1, Life.ALIVE, 1)))
        await eventually(lambda: all("n9" in node.peers.by_name for node in nodes))
        await eventually(lambda: not any("n9" in node.cluster.ring for node in nodes))
        assert not any("n9" in node.peers.by_name for node in nodes)
        assert not any(node.peers.strangers for node in nodes)


async def test_a_node_that_is_said_to_have_moved_is_dialled_there() -> None:
    """A node that can't be reached where it was is followed to where others say that it is."""
    async with cluster("n1") as (node,), puppet("n2") as other, puppet("n3") as third:
        await meet(node, other, third)
        third.gossips = False
        await third.stop()
        await eventually(lambda: node.peers.by_name["n3"].state is LinkState.DOWN)
        await third.start()
        third.gossips = True
        await other.say(news(Rumor("n3", str(third.address), 10**6, Life.ALIVE, 1)))
        await eventually(lambda: node.peers.is_up("n3"))
        assert node.peers.by_name["n3"].link.address == third.address


@pytest.mark.parametrize(
    "address", ["", "nonsense", "127.0.0.1:x", "127.0.0.1:0", "unix:/run/secret.sock", "[::1:5"]
)
async def test_gossip_of_a_node_at_no_address_ends_that_link_only(address: str) -> None:
    """Whoever says so gets an error that shows it; nobody believes it, and others go on."""
    key = key_of("n3", Ring(["n1", "n2", "n3"]))
    async with cluster("n1", "n3") as nodes, puppet("n2") as other, witness(nodes[0], key):
        await meet(nodes[0], other)
        await other.say(news(Rumor("n9", address, 1, Life.ALIVE, 1)))
        error = await other.hear(Error)
        assert "n9" not in nodes[0].cluster.membership.members
    assert error.code == "bad-message"
    assert "'n9'" in error.text
    assert repr(address) in error.text


async def test_nodes_that_see_another_ring_are_known_to_disagree() -> None:
    """`agrees` is false while a node tells another digest; one that is gone tells none."""
    async with cluster("n1") as (node,), puppet("n2") as other:
        await meet(node, other)
        other.gossips = False
        await other.say(news(digest="another"))
        await eventually(lambda: not node.cluster.agrees)
        await other.say(news(digest=node.cluster.ring.digest))
        await eventually(lambda: node.cluster.agrees)
        await other.say(news(digest="another"))
        await eventually(lambda: not node.cluster.agrees)
        await other.stop()
        await eventually(lambda: node.cluster.agrees)
        assert node.cluster.ring.nodes == ("n1",)
        await other.start()


# Two nodes of one name


async def test_two_seeds_of_one_name_are_reported_with_their_addresses(
    stack: AsyncExitStack, caplog: pytest.LogCaptureFixture
) -> None:
    """A node that reaches two nodes of one name keeps the first, and logs where both are."""
    twins = [await running(stack, "twin") for _ in range(2)]
    with caplog.at_level(logging.ERROR, "sidegate"):
        middle = await running(stack, "middle", *twins)
        await eventually(lambda: caplog.records)
        await eventually(lambda: middle.ready)
    assert "two nodes are named 'twin': give each its own --name" in caplog.text
    assert all(str(twin.link) in caplog.text for twin in twins)
    assert middle.cluster.ring.nodes == ("middle", "twin")
    assert middle.peers.by_name["twin"].state is LinkState.UP


async def test_a_node_at_two_addresses_is_one_node(
    stack: AsyncExitStack, caplog: pytest.LogCaptureFixture
) -> None:
    """A node reached by a second address keeps its first link, and nobody calls it a twin."""
    one = await stack.enter_async_context(cluster("n1"))
    other = await stack.enter_async_context(puppet("n2", instance=b"i" * 16))
    node = one[0]
    node.peers.meet([other.address])
    await eventually(lambda: node.peers.by_name)
    second = await stack.enter_async_context(puppet("n2", instance=b"i" * 16))
    node.peers.meet([second.address])
    await eventually(lambda: second.address in node.peers._known)
    assert node.peers.by_name["n2"].link.address == other.address
    assert "two nodes are named" not in caplog.text
    await eventually(lambda: not second.connections)


# A node that moves


async def test_a_node_that_returns_where_it_was_is_used_again(stack: AsyncExitStack) -> None:
    """After a restart under the same name and address the node's keys are decided by it again."""
    one = await running(stack, "n1")
    async with Process(config("n2", seeds=(one.link,))) as two:
        await ring_of([one, two])
        key, address = key_of("n2", one.cluster.ring), two.link
    await eventually(lambda: one.peers.by_name["n2"].state is LinkState.DOWN)
    assert one.cluster.ring.nodes == ("n1", "n2")  # for a while
    two = await running(stack, "n2", one, link=address)
    await ring_of([one, two])
    asking = await stack.enter_async_context(client(one))
    decision = await asking.check(key, "5/day")
    assert (decision.source, decision.node, decision.remaining) == ("owner", "n2", 4)


async def test_a_node_that_returns_elsewhere_is_found_there(stack: AsyncExitStack) -> None:
    """A node that comes back under another address is found there by all, not only by its seed."""
    one = await running(stack, "n1")
    three = await running(stack, "n3", one)
    async with Process(config("n2", seeds=(one.link,))) as two:
        await ring_of([one, two, three])
        before = two.link
    moved = await running(stack, "n2", one)
    assert moved.link != before
    await ring_of([one, moved, three])
    assert [it.peers.by_name["n2"].link.address for it in (one, three)] == [moved.link] * 2


async def test_an_address_that_goes_to_another_node_takes_no_keys_along(
    stack: AsyncExitStack,
) -> None:
    one = await running(stack, "n1")
    async with Process(config("n2", seeds=(one.link,))) as two:
        await ring_of([one, two])
        key, address = key_of("n2", one.cluster.ring), two.link
    heir = await running(stack, "n3", link=address)
    await eventually(lambda: "n3" in one.peers.by_name)
    assert one.peers.by_name["n3"].link.address == address
    await ring_of([one, heir])
    asking = await stack.enter_async_context(client(one))
    decision = await asking.check(key, "5/day")
    assert (decision.source, decision.node) == ("owner", one.cluster.ring.owner(key))
    back = await running(stack, "n2", one)
    await ring_of([one, heir, back])
    assert (await asking.check(key, "5/day")).node == "n2"
    assert one.peers.by_name["n3"].link.address == address


async def test_a_node_is_dialled_where_it_says_it_listens(stack: AsyncExitStack) -> None:
    one = await running(stack, "n1")
    other = await stack.enter_async_context(puppet("n2"))
    await stack.enter_async_context(bare(one, node_named("n2", str(other.address))))
    await eventually(lambda: other.connections)
    await eventually(lambda: one.cluster.ring.nodes == ("n1", "n2"))


async def test_a_node_that_listens_everywhere_is_dialled_where_it_came_from(
    stack: AsyncExitStack,
) -> None:
    one = await running(stack, "n1")
    other = await stack.enter_async_context(puppet("n2"))
    link = f"0.0.0.0:{other.address.port}"
    await stack.enter_async_context(bare(one, node_named("n2", link)))
    await eventually(lambda: one.cluster.ring.nodes == ("n1", "n2"))
    assert one.peers.by_name["n2"].link.address == other.address


async def test_a_node_that_only_came_by_is_not_dialled_for_ever() -> None:
    """Who answers a dial, says nothing of itself and is gone leaves nothing behind."""
    async with cluster("n1") as (node,):
        async with puppet("n2") as other:
            other.gossips = False
            node.peers.meet([other.address])
            await eventually(lambda: "n2" in node.peers.by_name)
        await eventually(lambda: "n2" not in node.peers.by_name)


async def test_a_link_that_comes_up_while_it_is_given_up_is_no_link(stack: AsyncExitStack) -> None:
    """Its node was said to be gone: else it would be kept, closed for good, and never dialled."""
    one = await running(stack, "n1")
    other = await running(stack, "n2", one)
    await ring_of([one, other])
    peer = one.peers.by_name.pop("n2")
    hello = peer.link.peer
    assert hello
    peer.link.close_soon()
    one.peers.link_up(peer.link, hello)
    assert "n2" not in one.peers.by_name
    one.peers.by_name["n2"] = peer
    await eventually(lambda: peer.state is LinkState.CLOSED)
    one.peers.members_changed([one.cluster.membership.members["n2"]])
    await eventually(lambda: one.peers.by_name["n2"].state is LinkState.UP)
