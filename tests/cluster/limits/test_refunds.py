"""Giving back over two sidecars, as processes: exactly what was charged, and never twice."""

import asyncio
from typing import Final

from sidegate.buckets.decision import Source
from sidegate.client.blocking import BlockingClient
from sidegate.client.client import Client
from sidegate_ring.hashring import Ring
from sidegate_sidecar.lab.waiting import until
from tests.support.in_process.cluster import GENEROUS, client, clients, eventually_answered
from tests.support.processes.fleet import Fleet, fleet, repetitions

LIMIT: Final = "10/hour; 50/day"
NAMES: Final = ("n1", "n2")
RING: Final = Ring(NAMES)
KEYS: Final = [str(number) for number in range(40)]


async def reached(asking: Client, key: str) -> None:
    """Wait until the owner of a key can be asked again."""

    async def source() -> Source:
        return (await asking.check(key, LIMIT, 0)).source

    await eventually_answered(source, lambda it: it is Source.OWNER)


async def left(asking: Client, keys: list[str]) -> list[int | None]:
    """Return what the keys have left of ten, by their owners."""
    looks = await asyncio.gather(*(asking.check(key, LIMIT, 0) for key in keys))
    assert {look.source for look in looks} == {"owner"}
    return [look.remaining_of(0) for look in looks]


async def becomes(asking: Client, keys: list[str], tokens: int) -> None:
    """Wait until all keys have so many tokens left."""

    async def is_so() -> bool:
        return await left(asking, keys) == [tokens] * len(keys)

    assert await until(is_so, within=GENEROUS, look_every=0.01), await left(asking, keys)


async def test_exactly_what_was_charged_comes_back_from_either_owner() -> None:
    """To loops and to threads, and of several keys that were asked together."""
    async with fleet(*NAMES) as cluster, clients(str(cluster.nodes["n1"].link)) as (asking,):
        made = await asyncio.gather(*(asking.check(key, LIMIT, 7) for key in KEYS))
        assert await left(asking, KEYS) == [3] * len(KEYS)
        for key, decision in zip(KEYS, made, strict=True):
            asking.refund(key, decision)
        await becomes(asking, KEYS, 10)
        await asyncio.to_thread(in_a_thread, cluster)
        await becomes(asking, KEYS, 6)
        full = [(key, LIMIT, 6) for key in KEYS[:15]]
        refused = await asking.check_all([*full, (KEYS[15], LIMIT, 7)])
        assert [it and it.allowed for it in refused] == [True] * 15 + [False]
        await becomes(asking, KEYS, 6)


def in_a_thread(cluster: Fleet) -> None:
    """Charge nine tokens of each key, and give five back."""
    with BlockingClient(str(cluster.nodes["n2"].link), budget=GENEROUS) as asking:
        for key in KEYS:
            asking.check(key, LIMIT, 4)
            asking.refund(key, asking.check(key, LIMIT, 5))


async def test_a_link_that_is_killed_gives_nothing_back_twice() -> None:
    """Of a refund that was under way the tokens are back, or stay charged."""
    async with fleet(*NAMES) as cluster:
        for again in range(repetitions(3)):
            keys = [f"{again}.{key}" for key in range(60)]
            keys = [key for key in keys if RING.owner(key) == "n2"]
            async with client(str(cluster.nodes["n1"].link), budget=GENEROUS) as asking:
                await asyncio.gather(*(asking.check(key, LIMIT, 4) for key in keys))
                made = await asyncio.gather(*(asking.check(key, LIMIT, 4) for key in keys))
                for key, decision in zip(keys, made, strict=True):
                    asking.refund(key, decision)
                await asyncio.sleep(0)  # they are on their way
                cluster.kill("n1")
                await cluster.start("n1")
                await cluster.whole()
                await reached(asking, keys[0])  # over a connection that the link has made since
                remaining = set(await left(asking, keys))
            assert remaining <= {2, 6}, remaining
