"""Leaves in a fleet of real sidecars: linked to owners only, and missing nothing by it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

from sidegate.protocol.report_messages import ReportQuery
from sidegate_sidecar.config import Role
from sidegate_sidecar.process import Process
from tests.support.in_process.cluster import are_one_ring, client, eventually, key_of, running

LIMITS = "5/hour"


@asynccontextmanager
async def fleet() -> AsyncGenerator[tuple[list[Process], list[Process]]]:
    """Run two owners, and three leaves whose seeds are one of them and the leaves before."""
    async with AsyncExitStack() as stack:
        first = await running(stack, "n1")
        owners = [first, await running(stack, "n2", first)]
        leaves: list[Process] = []
        for name in ("p1", "p2", "p3"):
            leaves.append(await running(stack, name, first, *leaves, role=Role.LEAF))
        await eventually(lambda: all(_knows(leaf, "n1", "n2") for leaf in leaves))
        await eventually(lambda: all(_knows(it, "n1", "n2", "p1", "p2", "p3") for it in owners))
        everyone = [*owners, *leaves]
        await eventually(lambda: all(it.cluster.ring.nodes == ("n1", "n2") for it in everyone))
        yield owners, leaves


def _knows(node: Process, *names: str) -> bool:
    """Does a node know just these others, and is it linked to them?"""
    others = {*names} - {node.config.name}
    known = {it.name for it in node.cluster.membership.living()}
    return known == others == {it for it in node.peers.by_name if node.peers.is_up(it)}


def _shuns(leaf: Process, leaves: list[Process]) -> bool:
    """Does a leaf know of all leaves among its seeds that it needn't dial them?"""
    return {*leaf.config.seeds} & {it.link for it in leaves} <= leaf.discovery._strangers()


async def test_leaves_are_linked_to_owners_only_and_count_all_others() -> None:
    """Though one has another among its seeds, it dials it no more once it has met an owner."""
    async with fleet() as (_, leaves):
        await eventually(lambda: all(leaf.cluster.parts == 5 for leaf in leaves))
        await eventually(lambda: all(_shuns(leaf, leaves) for leaf in leaves[1:]))
        assert all(_knows(leaf, "n1", "n2") for leaf in leaves)


async def test_a_leaf_that_lost_all_owners_looks_for_them_everywhere() -> None:
    async with fleet() as (owners, leaves):
        asked = leaves[2]
        await eventually(lambda: bool(asked.discovery._strangers()))
        await asyncio.gather(*(it.stop() for it in owners))
        await eventually(lambda: not asked.discovery._strangers())


async def test_a_leaf_reports_what_all_have_decided() -> None:
    """Also other leaves, which it doesn't know: the owner that looks after it asks them all."""
    async with fleet() as (_, leaves):
        asked, other = leaves[0], leaves[1]
        async with client(other) as asking:
            await asking.check(key_of("n2", other.cluster.ring, "api:"), LIMITS)
        await eventually(lambda: bool(asked.cluster.membership.keeper))
        answer = await asked.sessions.gathering.report(ReportQuery(7, 0, 300, "", "key", 20))
        assert (answer.id, answer.answered, answer.of, answer.missing) == (7, 5, 5, [])
        assert answer.totals[0] == 1


async def test_backups_are_in_other_zones_and_take_over() -> None:
    async with AsyncExitStack() as stack:
        nodes: list[Process] = []
        for name, zone in (("n1", "a"), ("n2", "a"), ("n3", "b")):
            nodes.append(await running(stack, name, *nodes[:1], zone=zone))
        one, two, _ = nodes
        await eventually(lambda: are_one_ring(nodes) and one.cluster.ring.is_zoned)
        key = key_of("n2", one.cluster.ring, "api:")
        assert one.cluster.ring.pair(key) == ("n2", "n3")
        async with client(one) as asking:
            for _ in range(5):
                await asking.check(key, LIMITS)
            await eventually(lambda: two.cluster.sync.idle)
            await two.stop()
            assert not (await asking.check(key, LIMITS)).allowed
            await eventually(lambda: "n2" not in one.cluster.ring)
            assert not (await asking.check(key, LIMITS)).allowed
