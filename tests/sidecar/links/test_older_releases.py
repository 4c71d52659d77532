"""An upgrade that rolls: a side of an older release isn't told what it doesn't know."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from sidegate import BlockingCache, Cache
from sidegate.buckets.decision import Source
from sidegate.client.blocking import BlockingClient
from sidegate.errors import NoReport, Unreachable
from sidegate.protocol.cache_messages import CACHE_MESSAGES
from sidegate.protocol.holds.reservation_messages import Reserve, Reserved
from sidegate.protocol.key_messages import KeyOrder, KeysBy, ListKeys, ResetKeys
from sidegate.protocol.messages import Buckets, Ping, Pong, Refund
from sidegate.protocol.outcome_messages import Outcomes
from sidegate.protocol.report_messages import ReportQuery
from sidegate.protocol.standing_messages import StandingQuery
from sidegate_sidecar.cache.cache_node import place_of
from sidegate_sidecar.node.counts import RefundOutcome
from sidegate_sidecar.process import Process
from tests.sidecar.node.beside_puppets import answer_each
from tests.support.in_process.caching import caches, key_at
from tests.support.in_process.cluster import (
    GENEROUS,
    client,
    cluster,
    config,
    eventually,
    key_of,
    link_of,
)
from tests.support.in_process.linking import linked
from tests.support.in_process.older import OlderIdentity, decode_older, older_puppet
from tests.support.in_process.puppets import APP, Bare, Puppet, bare
from tests.support.in_process.sidecar_double import SidecarDouble

SECONDS = 5.0  # far longer than what isn't asked takes


@asynccontextmanager
async def beside_an_older_node() -> AsyncGenerator[tuple[Process, Puppet, Bare, str]]:
    """Run a sidecar n1 in a ring with an older node n2, an app of n1, and take a key of n2."""
    async with older_puppet("n2") as other:
        node = Process(config("n1", seeds=(other.address,)))
        async with node, bare(node, APP) as app:
            await eventually(lambda: node.ready and "n2" in node.cluster.ring)
            yield node, other, app, key_of("n2", node.cluster.ring)


async def keeps_its_links(other: Puppet) -> None:
    """Have one read all that was said to it, and see that it has closed nothing."""
    connections = list(other.connections)
    for connection in connections:
        connection.send(Ping(4_711))
    for _ in connections:
        await other.hear(Pong)
    assert other.connections == connections
    assert not other.errors


async def test_an_older_node_is_missing_where_all_are_asked_and_keeps_its_link() -> None:
    async with beside_an_older_node() as (node, other, app, key):
        report = await node.sessions.gathering.report(ReportQuery(0, 0, 60, "", "key", 9))
        assert report.missing == ["n2"]
        found = await node.sessions.keys.first(
            ListKeys(0, 0, 10**6, KeysBy.PREFIX, "", KeyOrder.DEBT, 9)
        )
        assert found.missing == ["n2"]
        reset = await asyncio.wait_for(node.sessions.keys.reset(ResetKeys(0, 0, "login:")), SECONDS)
        assert reset.missing == ["n2"]
        link = node.peers.link_to("n2")
        assert link is not None
        assert await link.inquire(StandingQuery, GENEROUS) is None
        assert link.lacks(StandingQuery).startswith("n2 is of an older version")
        await app.send(Outcomes([], [(key, "open", 1, 5, 0)]), Refund(0, [(key, "5/day", 1)]))
        await eventually(lambda: node.node.counts.refunds[RefundOutcome.DROPPED])
        await keeps_its_links(other)
        sources = await node.sessions.gathering.report(ReportQuery(0, 0, 60, "", "source", 9))
        assert [(name, sums[0]) for name, _, sums in sources.rows] == [("open", 5)]


async def test_an_older_node_is_told_of_no_quota_and_keeps_its_link() -> None:
    """It would take buckets of one for nonsense."""
    async with beside_an_older_node() as (node, other, app, _):
        key = key_of("n1", node.cluster.ring)
        answers = await answer_each(app, (key, "5/day window; 9/day", 1))
        assert [answer[0] for answer in answers] == [1]
        message = await other.hear(Buckets)
        await keeps_its_links(other)
        told = [it for it in other.heard if isinstance(it, Buckets)]
        assert {text for it in [message, *told] for text, _, _ in it.groups} == {"9/day"}


async def test_an_older_node_is_sent_no_reservations_and_nobody_waits_for_it() -> None:
    """It has no place for them; a node that leaves, or one that joins, would wait for an answer."""
    async with beside_an_older_node() as (node, other, app, _):
        key = key_of("n1", node.cluster.ring)
        await app.send(Reserve(1, 0, key, "100/day", 30, 60_000))
        reserved = await app.next()
        assert isinstance(reserved, Reserved)
        assert reserved.held == 30
        rows = node.cluster.sync.rows
        await eventually(lambda: not rows.is_busy, SECONDS)
        assert len(rows.reservations.rows) == 1
        await keeps_its_links(other)


async def test_in_place_of_an_older_owner_its_backup_reserves_without_doubting_it() -> None:
    async with beside_an_older_node() as (node, other, app, key):
        await app.send(Reserve(1, 0, key, "100/day", 30, 60_000))
        reserved = await app.next()
        assert isinstance(reserved, Reserved)
        assert (reserved.held, reserved.source) == (30, Source.BACKUP)
        assert not node.node.counts.unanswered
        await keeps_its_links(other)


async def test_an_app_beside_an_older_sidecar_is_told_why_and_keeps_its_link() -> None:
    async with older_puppet("n2") as other:
        asking = client(other.address)
        for _ in range(2):  # before the link is up, and once it is
            with pytest.raises(NoReport, match="n2 is of an older version, which has no reports"):
                await asyncio.wait_for(asking.report(), SECONDS)
        with pytest.raises(Unreachable, match="older version, which has no lists of keys"):
            await asyncio.wait_for(asking.keys("login:"), SECONDS)
        with pytest.raises(Unreachable, match="older version, which has no resets of many keys"):
            await asyncio.wait_for(asking.reset_prefix("login:"), SECONDS)
        assert not link_of(asking).tell(Refund(0, [("k", "5/day", 1)]))
        await keeps_its_links(other)
        await asking.close()


async def test_a_thread_beside_an_older_sidecar_is_told_why() -> None:
    async with older_puppet("n2") as other:
        asking = BlockingClient(str(other.address), secret="", budget=GENEROUS)
        with pytest.raises(NoReport, match="n2 is of an older version, which has no reports"):
            await asyncio.to_thread(asking.report)
        with pytest.raises(Unreachable, match="older version, which has no lists of keys"):
            await asyncio.to_thread(asking.keys, "login:")
        asking.close()
        assert not other.errors


async def test_what_an_older_app_cannot_read_is_not_sent() -> None:
    """Of its own accord a sidecar says nothing to it that it doesn't know."""
    older = OlderIdentity("app", "old", "")
    async with cluster("n1") as (node,), bare(node) as app:
        await app.shake(older)
        (connection,) = node.sessions.open
        connection.send(Refund(0, [("k", "5/day", 1)]))
        await app.send(Ping(1))
        body = await app.body()
        while body is not None and not isinstance(decode_older(body), Pong):
            body = await app.body()
        assert body is not None


async def test_a_link_that_comes_up_says_what_waited_for_it_only_to_who_knows_it() -> None:
    async with older_puppet("n2") as other, linked(other.address) as (link, watching):
        asked = link.inquire(lambda number: ReportQuery(number, 0, 60, "", "key", 9), GENEROUS)
        assert await asyncio.wait_for(asked, SECONDS) is None
        assert watching.downs == 0
        assert not other.errors


async def test_what_is_given_back_beside_an_older_sidecar_stays_charged() -> None:
    """It isn't said, by a client in a loop or in threads, and the next checks go on."""
    with SidecarDouble("127.0.0.1:0", level=0) as older:
        asking = client(older.address)
        threaded = BlockingClient(older.address, secret="", budget=GENEROUS)
        for _ in range(2):
            asking.refund("a", await asking.check("a", "5/day"))
            threaded.refund("b", await asyncio.to_thread(threaded.check, "b", "5/day"))
        assert (await asking.check("a", "5/day")).remaining == 2
        assert (await asyncio.to_thread(threaded.check, "b", "5/day")).remaining == 2
        assert (older.refunds, older.errors, older.accepted) == ([], [], 2)
        threaded.close()
        await asking.close()


async def test_a_cache_beside_an_older_sidecar_calls_its_functions_at_once() -> None:
    """Nobody waits for a budget, neither before the link is up nor after it."""
    async with older_puppet("n2") as other:
        address = str(other.address)
        async with Cache("users", ttl="1h", sidecar=address, budget=GENEROUS) as cache:
            for _ in range(2):
                load = cache.get_or_set("k", lambda: 5)
                assert await asyncio.wait_for(load, SECONDS) == 5
                assert await asyncio.wait_for(cache.set("k", 1), SECONDS) is False
            assert len(other.connections) == 1
        with BlockingCache("users", ttl="1h", sidecar=address, budget=GENEROUS) as blocking:
            assert (
                await asyncio.wait_for(
                    asyncio.to_thread(blocking.get_or_set, "k", lambda: 5), SECONDS
                )
                == 5
            )
        assert not [it for it in other.heard if isinstance(it, CACHE_MESSAGES)]
        assert not other.errors


async def test_values_that_an_older_node_would_own_cannot_be_had_and_its_link_is_kept() -> None:
    async with beside_an_older_node() as (node, other, _, _), caches(node) as (cache,):
        ring = node.cluster.ring
        keys = (f"k{at}" for at in range(10_000))
        its = next(key for key in keys if ring.owner(place_of(("users", key))) == "n2")
        assert await asyncio.wait_for(cache.get_or_set(its, lambda: 5), SECONDS) == 5
        assert await asyncio.wait_for(cache.clear(), SECONDS) is False
        assert await asyncio.wait_for(cache.set(key_at(node), 1), SECONDS)
        await keeps_its_links(other)
