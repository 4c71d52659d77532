"""Peeking and resetting over two sidecars, as processes, by whichever of them is asked."""

import asyncio
from typing import Final

import pytest

from sidegate.client.blocking import BlockingClient
from sidegate.errors import Unreachable
from sidegate_sidecar.lab.waiting import until
from tests.support.in_process.cluster import GENEROUS, client, clients
from tests.support.processes.fleet import Fleet, fleet

LIMIT: Final = "10/hour; 50/day"
NAMES: Final = ("n1", "n2")
KEYS: Final = [str(number) for number in range(20)]
SPENT: Final = {"10/hour": 10, "50/day": 10}


async def test_a_reset_makes_keys_whole_for_all_apps() -> None:
    """Also for those that remember that they were denied, as soon as they hear of it."""
    async with fleet(*NAMES) as cluster:
        addresses = [str(cluster.nodes[name].link) for name in NAMES]
        async with clients(*addresses) as (one, two):
            await asyncio.gather(*(one.check(key, LIMIT, 10) for key in KEYS))
            assert await asyncio.gather(*(two.peek(key) for key in KEYS)) == [SPENT] * len(KEYS)
            denied = await asyncio.gather(*(two.check(key, LIMIT, 10) for key in KEYS))
            assert not any(it.allowed for it in denied)
            assert await asyncio.gather(*(one.reset(key) for key in KEYS)) == [SPENT] * len(KEYS)
            for key in KEYS:

                async def passes(key: str = key) -> bool:
                    return (await two.check(key, LIMIT, 10)).allowed

                assert await until(passes, within=GENEROUS, look_every=0.01)
            await asyncio.to_thread(in_a_thread, cluster)
            assert await asyncio.gather(*(two.peek(key) for key in KEYS)) == [{}] * len(KEYS)


def in_a_thread(cluster: Fleet) -> None:
    """Reset all keys, as a thread does."""
    with BlockingClient(str(cluster.nodes["n1"].link), budget=GENEROUS) as asking:
        for key in KEYS:
            assert asking.peek(key) == asking.reset(key) == SPENT
            assert asking.peek(key) == {}


async def test_a_sidecar_that_is_killed_is_no_empty_answer() -> None:
    async with fleet("n1") as cluster, client(str(cluster.nodes["n1"].link)) as asking:
        await asking.check("k", LIMIT, 10)
        cluster.kill("n1")
        for ask in (asking.peek, asking.reset):
            with pytest.raises(Unreachable):
                await ask("k")
