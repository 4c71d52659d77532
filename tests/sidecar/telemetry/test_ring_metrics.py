"""Metrics of the ring: its nodes, their places, departures, copies and links."""

import asyncio

from sidegate_ring.membership.membership import Life
from sidegate_sidecar.cluster.place.stages import Stage
from sidegate_sidecar.process import Process
from tests.sidecar.telemetry.scraped import counted, scrape
from tests.support.in_process.beside import ring_with_puppet
from tests.support.in_process.cluster import cluster, config, eventually
from tests.support.in_process.http_client import check, http
from tests.support.in_process.puppet_members import news


async def test_seeds_that_do_not_answer_are_links_too() -> None:
    """A link that is refused counts as down, and makes no peer."""
    async with (
        cluster("n1", secret=b"one") as (one,),
        Process(config("n2", secret=b"two", seeds=(one.link,))) as two,
    ):
        await eventually(lambda: two.discovery.refusal)
        seen = await scrape(two)
        refused = (await scrape(one)).all("sidegate_connections_refused_total", "code")
    assert counted(seen.all("sidegate_links", "state")) == {("down",): 1}
    assert (seen["sidegate_refused"], seen["sidegate_ready"]) == (1, 0)
    assert seen.all("sidegate_peer_out_of_reach", "peer") == {}
    assert refused["secret",] >= 1


async def test_the_ring_is_measured() -> None:
    """How many nodes there are, and whether they agree."""
    async with ring_with_puppet() as (one, other, _, _):
        await eventually(lambda: one.cluster.agrees)
        agreed = await scrape(one)
        other.gossips = False
        await other.say(news(digest="something else"))
        await eventually(lambda: not one.cluster.agrees)
        split = await scrape(one)
    assert agreed["sidegate_ring_nodes"] == split["sidegate_ring_nodes"] == 2
    assert (agreed["sidegate_ring_agrees"], split["sidegate_ring_agrees"]) == (1, 0)


async def test_the_place_on_the_ring_is_measured() -> None:
    """The stage of this node, its incarnation, the others by state, and its handovers."""
    async with cluster("n1", "n2", "n3") as (one, *_):
        one.cluster.membership.members["n2"].state = Life.SUSPECT
        seen = await scrape(one)
        incarnation = one.cluster.membership.me.incarnation
    assert counted(seen.all("sidegate_stage", "stage")) == {("member",): 1}
    assert seen["sidegate_incarnation"] == incarnation > 0
    assert counted(seen.all("sidegate_members", "state")) == {("alive",): 1, ("suspect",): 1}
    assert seen.all("sidegate_handovers_total", "stage") == {
        ("joining",): 1,
        ("returning",): 0,
        ("leaving",): 0,
    }
    assert set(seen.all("sidegate_handovers_overdue_total", "stage").values()) == {0}
    assert 0 <= seen.all("sidegate_handover_seconds_total", "stage")["joining",] < 60


async def test_a_departure_is_measured() -> None:
    """What others have merged of a node that left, and that the last one waits."""
    async with cluster("n1", "n2") as (one, two), http(one) as client:
        for at in range(20):
            await check(client, f"k{at}", "10/hour")
        keys = [f"k{at}" for at in range(20)]
        mine = sum(one.cluster.ring.owner(key) == "n1" for key in keys)
        await one.leave()
        waiting = asyncio.create_task(two.leave())
        await eventually(lambda: two.cluster.stage is Stage.WAITING)
        left, last = await scrape(one), await scrape(two)
        waiting.cancel()
    assert left["sidegate_handed_over_buckets_total"] == mine > 0
    assert counted(left.all("sidegate_stage", "stage")) == {("leaf",): 1}
    assert counted(last.all("sidegate_stage", "stage")) == {("waiting",): 1}


async def test_copies_are_measured() -> None:
    """Buckets by role on both sides, and how they got there."""
    async with cluster("n1", "n2") as (one, two), http(one) as client:
        for at in range(20):
            await check(client, f"k{at}", "5/hour")
        await eventually(lambda: len(one.node.buckets) == len(two.node.buckets) == 20)
        await eventually(lambda: one.cluster.sync.idle and two.cluster.sync.idle)
        seen = await scrape(one)
    mine = [one.cluster.ring.owner(f"k{at}") for at in range(20)].count("n1")
    assert seen.all("sidegate_keys_by_role", "role") == {("owner",): mine, ("backup",): 20 - mine}
    assert seen.all("sidegate_synced_buckets_total", "fate") == {
        ("sent",): mine,
        ("merged",): 20 - mine,
        ("resent",): 0,
    }
    assert seen["sidegate_sync_lag_seconds"] == 0
