"""Sidecars that can't ask who knows: who holds no copy doesn't answer as one that does."""

import asyncio
from signal import SIGCONT, SIGSTOP
from typing import Final

import pytest

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
    trio,
)
from tests.support.processes.services import PATIENCE

USUAL: Final = 0.05  # seconds: the budget of a node that has no reason for another
SHARE: Final = LIMIT // 3  # of each of the three nodes
MANY: Final = [f"key{at}" for at in range(200)]


def keys_of(*pair: str) -> list[str]:
    """Return ten keys with these two holders, whichever of them owns them."""
    return [key for key in MANY if {*RING.pair(key)} == {*pair}][:10]


async def spend(net: Apart, asking: list[Client], keys: list[str]) -> None:
    """Spend all of these keys, and wait until their backups know."""
    await Spent(keys).ask(*asking, times=LIMIT)
    await net.until(net.are_backed_up)
    assert await are_spent(keys, asking)


@pytest.mark.parametrize("seconds", [0.03, 0.1, 0.3])
async def test_a_third_gives_its_share_while_owner_and_backup_stand_still(seconds: float) -> None:
    """Both stop for 30 to 300 ms, and nobody dies: a spent key stays spent, but for that share."""
    keys = keys_of("n1", "n2")
    async with trio(USUAL, patience=PATIENCE) as (net, asking):
        await spend(net, asking, keys)
        loop, still = asyncio.get_running_loop(), Spent(keys)
        for node in net.nodes[:2]:
            node.send(SIGSTOP)
        until = loop.time() + seconds
        while loop.time() < until:
            await still.ask(asking[2])
        for node in net.nodes[:2]:
            node.send(SIGCONT)
        assert still.sources.keys() <= {"owner", "backup", "local"}
        assert still.most == 0
        assert max(still.by_share.values()) <= SHARE
        await heal(net, asking, keys)


async def test_a_backup_asks_an_owner_that_it_cant_hear_by_way_of_a_third() -> None:
    """n1 and n3 can't hear each other, n2 hears both: one of the two decides, not both."""
    keys = keys_of("n1", "n3")
    async with trio(USUAL, patience=PATIENCE) as (net, asking):
        net.wire.drop((0, 2), (2, 0))
        async with asyncio.timeout(PATIENCE):
            while not await ask_owners(keys, asking[0], asking[2]):
                pass
        spent = await Spent(keys).ask(*asking, times=LIMIT)
        assert spent.sources["owner"] > 0.9 * len(spent.decisions)
        assert spent.most <= LIMIT
        assert {view["ring"] for view in await net.views()} == {RING.digest}
        await heal(net, asking, keys)


async def ask_owners(keys: list[str], *asking: Client) -> bool:
    """Look at each key at each client; did the owners answer them all?"""
    looks = [who.check(key, "9/day", 0) for key in keys for who in asking]
    decisions = await asyncio.gather(*looks)
    return {(it.source, it.node) for it in decisions} <= {("owner", "n1"), ("owner", "n3")}


@pytest.mark.parametrize("loss", [0.03, 0.1, 0.3])
async def test_loss_at_one_node_gives_a_limit_more_at_most(loss: float) -> None:
    """Who can't hear the others well gives its share; what was spent is spent after it."""
    async with trio(USUAL, patience=PATIENCE) as (net, asking):
        spent = Spent()
        net.wire.worsen(loss=loss, ends=[0])
        async with asyncio.timeout(PATIENCE):
            while net.wire.carried().lost < 30:
                await spent.ask(*asking)
        await spent.ask(*asking, times=LIMIT)
        print(net.wire.carried(), spent.sources, spent.most)  # noqa: T201  # for pytest -s
        assert spent.most <= 2 * LIMIT
        await heal(net, asking)


async def test_a_node_that_wakes_without_its_network_gives_its_share() -> None:
    """It slept so long that others decided for it, and can't be told: it knows that much."""
    async with trio(USUAL, patience=PATIENCE) as (net, asking):
        asleep = net.nodes[2]
        asleep.send(SIGSTOP)
        meanwhile = await Spent().ask(*asking[:2], times=LIMIT)
        await net.until_rings(net.nodes[:2])
        async with asyncio.timeout(PATIENCE):
            while not await are_spent(KEYS, asking[:2]):  # of a busy machine shares took some
                await meanwhile.ask(*asking[:2])
        net.wire.split([2])
        asleep.send(SIGCONT)
        woken = await Spent().ask(asking[2], times=LIMIT)
        assert woken.sources.keys() == {"local"}
        assert max(woken.by_share.values()) <= SHARE
        net.wire.heal()
        await net.until_rings(net.nodes, within=HEALED_WITHIN)
        await net.until(net.are_backed_up, HEALED_WITHIN)
        after = await Spent().ask(*asking)
        assert after.sources.keys() <= BY_NODES
        assert after.most == 0
