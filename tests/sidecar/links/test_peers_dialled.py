"""Who answers at an address that another node is known by: who has it now, or somebody between."""

import pytest

from sidegate.link.health import LinkState
from sidegate.protocol.codec import WireError
from sidegate.protocol.messages import Hello
from sidegate_ring.membership.membership import Life, Rumor
from tests.support.in_process.beside import meet
from tests.support.in_process.cluster import cluster, eventually
from tests.support.in_process.puppet_members import news
from tests.support.in_process.puppets import node_named, puppet


async def test_another_node_at_the_address_of_one_that_was_linked(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The link that is dialled again isn't used, and the log says who answered where."""
    async with cluster("n1") as (node,), puppet("n2") as other:
        await meet(node, other)
        await other.stop()
        await eventually(lambda: node.peers.by_name["n2"].state is LinkState.DOWN)
        other.me = node_named("n3", "127.0.0.1:9")
        await other.start(other.address.port)
        await eventually(lambda: "not talking to node n3 by the address of node n2" in caplog.text)
        assert "n3" not in node.peers.by_name
        assert "n3" not in node.cluster.membership.members


async def test_another_node_at_the_address_of_one_that_is_looked_for(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """So it is each time, also when that one is taken for dead and nobody is linked to it."""
    said = "not talking to node n3 by the address of node n9"
    async with cluster("n1") as (node,), puppet("n2") as other, puppet("n3") as third:
        await meet(node, other)
        await other.say(news(Rumor("n9", str(third.address), 9, Life.ALIVE, 1)))
        await eventually(lambda: said in caplog.text)
        assert "n9" not in node.peers.by_name
        await eventually(lambda: "n9" in {it.name for it in node.cluster.membership.dead()})
        caplog.clear()
        await eventually(lambda: said in caplog.text)
        assert "n3" not in node.peers.by_name


def hello(dialled: str) -> Hello:
    return node_named("n5", "127.0.0.1:5").hello(bytes(32), dialled)


async def test_who_dials_an_address_of_another_node_is_refused() -> None:
    """It is told whose address it has dialled, and who it has got."""
    async with cluster("n1", "n2") as (one, two):
        with pytest.raises(WireError, match=r"the address of node 'n2', .* node 'n1'.*.dialled."):
            one.peers.approve(hello(str(two.link)))


@pytest.mark.parametrize("dialled", ["", "sidegate-peers.shop.svc:7171", "10.0.0.1:1", "unix:/x"])
async def test_who_dials_any_other_address_is_not(dialled: str) -> None:
    """A Service, a balancer or a forwarding has an address that no node has; so has this node."""
    async with cluster("n1", "n2") as (one, _):
        one.peers.approve(hello(dialled))
        one.peers.approve(hello(str(one.link)))
