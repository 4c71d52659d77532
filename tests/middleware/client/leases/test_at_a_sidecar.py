"""Leases of real sidecars: in the end what is charged was allowed, and reports count it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from sidegate_sidecar.lab.waiting import until
from tests.support.in_process.cluster import GENEROUS, client, cluster, key_of, sources

if TYPE_CHECKING:
    from sidegate.buckets.decision import Decision
    from sidegate.client.client import Client

LIMIT = "100000/day"  # so slow that next to nothing comes back meanwhile
TURN = 20


async def checks(asking: Client, key: str, least: int) -> list[Decision]:
    """Make checks in turns until so many were made by leases."""
    made: list[Decision] = []
    async with asyncio.timeout(20):
        while sources(made)["lease"] < least:
            made += await asyncio.gather(*(asking.check(key, LIMIT) for _ in range(TURN)))
            await asyncio.sleep(0)
    return made


async def test_what_was_lent_and_not_spent_is_whole_again_and_reports_count_the_rest() -> None:
    """Also where another node owns the key, and a second app borrows of it."""
    async with cluster("n1", "n2") as nodes, client(nodes[0]) as looking:
        key = key_of("n2", nodes[0].cluster.ring, "shop:")
        async with client(nodes[0], lease=True) as one, client(nodes[1], lease=True) as two:
            made = await checks(one, key, 500) + await checks(two, key, 500)
        assert all(it.allowed for it in made)

        leased = sources(made)["lease"]

        async def is_charged() -> bool:
            spent = (await looking.peek(key)).get(LIMIT, 0)
            return len(made) - 1 <= spent <= len(made)

        async def is_counted() -> bool:
            rows: list[Any] = list((await looking.report(last="5m", by="source")).rows)
            return [row.allowed for row in rows if row.source == "lease"] == [leased]

        for it in (is_charged, is_counted):
            assert await until(it, within=GENEROUS, look_every=0.01)
