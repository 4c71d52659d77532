"""Checks whose owner is late, as processes: each is charged once, whoever has decided it."""

import asyncio
from collections import Counter
from signal import SIGCONT, SIGSTOP
from typing import Final

import pytest

from sidegate_ring.hashring import Ring
from tests.support.in_process.cluster import GENEROUS, client, clients, sources
from tests.support.processes.fleet import Fleet, fleet, repetitions

LIMIT: Final = "10/hour"
BUDGET: Final = 0.05  # seconds of a sidecar, of which an owner has two fifths
STALLS: Final = (0.03, 0.06, 0.09, 0.15, 0.4, 1.0)  # seconds
CHECKS: Final = 100  # at once, each of a key of its own
NAMES: Final = ("n1", "n2", "n3")
RING: Final = Ring(NAMES)


async def left(cluster: Fleet, keys: list[str]) -> Counter[int]:
    """Count the keys by the tokens that they have left; whatever is under way has arrived."""
    await cluster.whole()
    async with client(str(cluster.nodes["n1"].link)) as asking:
        looks = await asyncio.gather(*(asking.check(key, LIMIT, 0) for key in keys))
    return Counter(look.remaining for look in looks if look.remaining is not None)


@pytest.mark.parametrize("stopped", [("n3",), ("n2", "n3"), NAMES], ids=["one", "two", "all"])
async def test_a_check_is_charged_once_when_nodes_stand_still(stopped: tuple[str, ...]) -> None:
    """Checks wait for a stopped owner, are decided without it, and are there when it goes on.

    Where the backup stands still too, longer than a check may take, nobody else has a copy: then
    it is a share that decides, and is charged as well.
    """
    deciders = {"owner", "backup"} | ({"local"} if "n2" in stopped else set[str]())
    async with fleet(*NAMES, budget=BUDGET) as cluster:
        for stall in STALLS * repetitions(1):
            keys = [f"{len(stopped)}.{stall}.{number}" for number in range(CHECKS)]
            async with clients(str(cluster.nodes["n1"].link), budget=5.0) as (asking,):
                asked = asyncio.gather(*(asking.check(key, LIMIT) for key in keys))
                await asyncio.sleep(0)  # they are on their way, or about to be
                await stand_still(cluster, stopped, stall)
                decisions = await asyncio.wait_for(asked, GENEROUS)
            assert all(decision.allowed for decision in decisions)
            assert sources(decisions).keys() <= deciders
            assert await left(cluster, keys) == {9: CHECKS}


async def stand_still(cluster: Fleet, names: tuple[str, ...], seconds: float) -> None:
    """Stop nodes for so long."""
    for name in names:
        cluster.nodes[name].send(SIGSTOP)
    await asyncio.sleep(seconds)
    for name in names:
        cluster.nodes[name].send(SIGCONT)


async def test_a_reset_holds_for_a_node_that_stood_still() -> None:
    """What the stopped owner held before it, and had on its way, brings nothing back."""
    async with fleet(*NAMES) as cluster:
        keys = [key for key in map(str, range(60)) if RING.owner(key) == "n3"]
        async with clients(str(cluster.nodes["n1"].link)) as (asking,):
            await asyncio.gather(*(asking.check(key, LIMIT, 10) for key in keys))
        cluster.nodes["n3"].send(SIGSTOP)
        for key in keys:
            await asyncio.to_thread(cluster.nodes["n1"].reset, key)
        cluster.nodes["n3"].send(SIGCONT)
        assert await left(cluster, keys) == {10: len(keys)}
