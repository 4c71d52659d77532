"""Networks that are split or bad: each side goes on, within its bound, and all is well after it.

What is lost is lost silently here: no connection is refused or reset.
"""

import asyncio
from typing import Any

from sidegate.client.client import Client
from tests.cluster.networks.namespaces import Apart
from tests.cluster.networks.spent import (
    BY_NODES,
    HEALED_WITHIN,
    KEYS,
    LIMIT,
    RING,
    Spent,
    are_spent,
    heal,
    total,
    trio,
)
from tests.support.processes.services import PATIENCE


async def test_each_side_of_a_split_admits_at_most_one_limit() -> None:
    """Two nodes against one: both sides go on, and nothing is left when they meet again.

    The two have the owner of each key or its backup, so they know what was spent before it; the
    one knows of two keys out of three, and until it takes the two for dead answers by its share
    what is asked about the third.
    """
    async with trio() as (net, asking):
        many, few = Spent(), Spent()
        before = await Spent().ask(*asking, times=3)
        await net.until(net.are_backed_up)
        net.wire.split([2])
        await asyncio.gather(many.ask(*asking[:2], times=15), few.ask(asking[2], times=30))
        await net.until_rings(net.nodes[:2], net.nodes[2:])
        await asyncio.gather(many.ask(*asking[:2], times=15), few.ask(asking[2], times=LIMIT))
        assert BY_NODES <= many.sources.keys() <= BY_NODES | {"local"}  # on a busy machine
        assert few.sources.keys() == BY_NODES | {"local"}
        assert max(total(before, many).values()) == LIMIT
        assert {key: few.charged[key] + few.by_share[key] for key in KEYS} == {
            key: LIMIT - 9 * ("n3" in RING.pair(key)) for key in KEYS
        }
        await heal(net, asking)


async def test_what_one_side_of_a_split_spent_is_spent_for_all() -> None:
    """The two sides merge what they hold when they meet again, for whoever owns it then."""
    one, other = ([f"{side}{at}" for at in range(30)] for side in ("few", "many"))
    async with trio() as (net, asking):
        net.wire.split([2])
        await net.until_rings(net.nodes[:2], net.nodes[2:])
        sides = Spent(one), Spent(other)
        await asyncio.gather(
            sides[0].ask(asking[2], times=LIMIT), sides[1].ask(asking[0], times=LIMIT)
        )
        assert total(*sides) == dict.fromkeys([*one, *other], LIMIT)
        net.wire.heal()
        await net.until(lambda: are_spent([*one, *other], asking), HEALED_WITHIN)
        await net.until_rings(net.nodes, within=HEALED_WITHIN)
        assert await are_spent([*one, *other], asking)


async def test_loss_of_one_way_splits_no_ring() -> None:
    """While n2 hears nothing of n1, each check is answered, and the third keeps both alive."""
    async with trio() as (net, asking):
        net.wire.drop((0, 1))
        spent = await Spent().ask(*asking, times=40)
        async with asyncio.timeout(PATIENCE):
            while not await have_lost_each_other(net):  # which they find out when asked
                await spent.ask(*asking)
        await spent.ask(*asking)
        assert spent.sources.keys() == BY_NODES
        assert spent.most <= 2 * LIMIT
        assert {view["ring"] for view in await net.views()} == {RING.digest}
        await heal(net, asking)


async def have_lost_each_other(net: Apart) -> bool:
    """Have n1 and n2 given up their connections to each other?"""
    one, two, _ = await net.views()
    return link_state(one, "n2") == link_state(two, "n1") == "down"


def link_state(view: dict[str, Any], name: str) -> str:
    """Return what a link is good for; "down" for one to a node that is taken for dead."""
    return next((str(node["state"]) for node in view["nodes"] if node["name"] == name), "down")


async def test_loss_of_every_tenth_packet_leaves_one_ring() -> None:
    """Each check is answered, and whoever was suspected meanwhile is on the ring after it.

    It goes on until all keys are spent, else what is left of them is given out after the healing.
    """
    async with trio() as (net, asking):
        spent = Spent()
        net.wire.worsen(loss=0.1)
        async with asyncio.timeout(PATIENCE):
            while net.wire.carried().lost < 100 or not await gives_nothing(spent, *asking):
                await spent.ask(*asking)
        print(net.wire.carried(), spent.sources, spent.most)  # noqa: T201  # for pytest -s
        assert spent.most <= 2 * LIMIT
        await heal(net, asking)


async def gives_nothing(spent: Spent, *asking: Client) -> bool:
    """Ask once more; was no key given anything by a node?"""
    before = spent.charged.total()
    await spent.ask(*asking)
    return spent.charged.total() == before


async def test_limits_are_exact_when_every_packet_takes_50_ms() -> None:
    """A ring with slow links is a stable ring: owners decide, all in time."""
    async with trio(budget=0.5) as (net, asking):
        net.wire.worsen(delay=0.05)
        spent = await Spent().ask(*asking, times=20)
        assert spent.sources.keys() == {"owner"}
        assert set(spent.charged.values()) == {LIMIT}
        assert await net.are_rings(net.nodes)
