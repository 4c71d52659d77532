"""Reservations over sidecars as processes: killed and replaced between reserve and commit."""

import asyncio
import re
import sys
from asyncio.subprocess import PIPE
from functools import partial
from textwrap import dedent
from typing import Final

from sidegate.client.client import Client
from sidegate.errors import Unreachable
from sidegate_ring.hashring import Ring
from sidegate_sidecar.lab.waiting import until
from tests.support.in_process.cluster import GENEROUS, client, eventually_answered
from tests.support.processes.fleet import Fleet, fleet

YEARLY: Final = "20000/year"  # nothing comes back while a test takes
NAMES: Final = ("n1", "n2", "n3")
_OPEN: Final = re.compile(r"^sidegate_reservations_open ([0-9.]+)$", re.MULTILINE)


def keys_of(*names: str) -> list[str]:
    """Return a key that each of these nodes owns."""
    ring = Ring(names)
    return [next(it for it in map(str, range(999)) if ring.owner(it) == name) for name in names]


async def spent(asking: Client, key: str) -> int:
    """Return how many tokens a key has spent, -1 while nobody says."""
    try:
        return (await asking.peek(key)).get(YEARLY, 0)
    except Unreachable:
        return -1


async def held_at(asking: Client, key: str) -> str:
    """Reserve 5,000 tokens, and return the id; whoever holds it commits elsewhere."""
    held = await asking.reserve(key, YEARLY, 5_000, ttl=600).__aenter__()
    assert held is not None
    assert held.id
    return held.id


async def copied(cluster: Fleet, count: int) -> None:
    """Wait until the nodes hold so many open reservations, copies included."""

    async def are_there() -> bool:
        texts = [
            (await cluster.http.get(f"{it.url}/metrics")).text for it in cluster.nodes.values()
        ]
        return sum(float(found[1]) for it in texts if (found := _OPEN.search(it))) == count

    assert await until(are_there, within=GENEROUS, look_every=0.02)


APP: Final = dedent("""
    import sys
    from sidegate import BlockingClient

    client = BlockingClient(sys.argv[1], budget=10.0, secret="")
    with client.reserve("of an app", "20000/year", 5_000, ttl=0.5) as held:
        print(held.id, flush=True)
        sys.stdin.read()
""")


async def test_whoever_is_killed_between_reserve_and_commit() -> None:
    """An app; then a sidecar that owns one key, backs another up, and is the app's own."""
    async with fleet(*NAMES) as cluster, cluster.asking(budget=2.0) as asking:
        await four_of_a_hundred(asking)
        await killed_app(cluster, asking[1])
        ids = {key: await held_at(asking[0], key) for key in keys_of(*NAMES)}
        await copied(cluster, 2 * len(ids) + 2 * 4)
        cluster.kill("n1")
        for key, number in ids.items():
            assert await asking[1].commit(number, 1_200) == (1_200, 3_800, 0)
            assert await asking[2].commit(number, 7) == (1_200, 3_800, 0)
            await eventually_answered(partial(spent, asking[2], key), lambda it: it == 1_200)


async def four_of_a_hundred(asking: list[Client]) -> None:
    """Have a hundred at once reserve 5,000 of 20,000."""
    reserving = [asking[at % 3].reserve("busy", YEARLY, 5_000) for at in range(100)]
    held = await asyncio.gather(*(it.__aenter__() for it in reserving))
    assert sum(it is not None for it in held) == 4


async def killed_app(cluster: Fleet, asking: Client) -> None:
    """Kill an app that holds tokens: all is given back at the end, and charged by a commit."""
    link = str(cluster.nodes["n2"].link)
    app = await asyncio.create_subprocess_exec(
        sys.executable, "-c", APP, link, stdin=PIPE, stdout=PIPE
    )
    assert app.stdout is not None
    number = (await app.stdout.readline()).decode().strip()
    app.kill()
    await app.wait()
    await eventually_answered(lambda: spent(asking, "of an app"), lambda it: it == 0)
    assert await asking.commit(number, 700) == (700, 0, 700)
    assert await spent(asking, "of an app") == 700


async def test_all_sidecars_are_replaced_between_reserve_and_commit() -> None:
    async with fleet("n1", "n2") as cluster:
        async with client(str(cluster.nodes["n1"].link)) as asking:
            ids = {key: await held_at(asking, key) for key in keys_of("n1", "n2")}
        await cluster.start("m1", "m2")
        await cluster.stop("n1")
        await cluster.stop("n2")
        await cluster.whole()
        async with cluster.asking() as (one, two):
            for key, number in ids.items():
                assert await one.commit(number, 1_200) == (1_200, 3_800, 0)
                assert await two.commit(number, 0) == (1_200, 3_800, 0)
                assert await spent(two, key) == 1_200
