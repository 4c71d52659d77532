"""What apps decided from memory or alone: counted by key, where that key is owned."""

import asyncio
from typing import get_args

import msgspec
import pytest

from sidegate.client.blocking import BlockingClient
from sidegate.protocol.messages import Ping, Pong
from sidegate.protocol.outcome_messages import Outcomes
from sidegate.protocol.report_messages import By, ReportAnswer, ReportQuery
from sidegate_sidecar.fronts.http.live.feed import Feed
from sidegate_sidecar.lab.waiting import until
from sidegate_sidecar.links.reporting.told_outcomes import SOURCES
from sidegate_sidecar.process import Process
from sidegate_sidecar.reports.series import MAX_VALUE
from tests.sidecar.node.beside_puppets import beside_a_puppet
from tests.support.in_process.cluster import GENEROUS, client, cluster, eventually, key_of
from tests.support.in_process.puppets import APP, bare, frame


async def by_key(node: Process, rule: str) -> list[tuple[str, str, int, int]]:
    """Return key, node, asked and denied of each key of a rule, as a report says."""
    answer = await node.sessions.gathering.report(ReportQuery(0, 0, 300, rule, "key", 20))
    return [(key, name, sums[0], sums[2]) for key, name, sums in answer.rows]


async def by_source(node: Process) -> dict[str, list[int]]:
    """Return allowed and denied by source, as a report says."""
    answer = await node.sessions.gathering.report(ReportQuery(0, 0, 300, "", "source", 20))
    return {name: list(sums[:2]) for name, _, sums in answer.rows}


async def test_they_are_counted_at_the_owner_of_each_key() -> None:
    async with cluster("n1", "n2") as nodes, bare(nodes[0], APP) as app:
        ring = nodes[0].cluster.ring
        mine, its = key_of("n1", ring, "login:"), key_of("n2", ring, "login:")
        rows = [(mine, "remembered", 0, 30, 0), (its, "open", 1, 5, 0), (None, "closed", 0, 7, 0)]
        await app.send(Outcomes([], [*rows]), Ping(1))
        assert await app.next() == Pong(1)

        async def are_counted() -> bool:
            return await by_key(nodes[1], "login") == [(mine, "n1", 30, 30), (its, "n2", 5, 0)]

        assert await until(are_counted, within=GENEROUS, look_every=0.01)
        found = await by_source(nodes[0])
    assert found == {"remembered": [0, 30], "open": [5, 0], "closed": [0, 7]}


async def test_what_the_owner_cannot_be_told_is_counted_here() -> None:
    async with beside_a_puppet() as (node, other, peer, key):
        await peer.send(Outcomes([], [(key, "local", 1, 3, 6)]))
        told = await other.hear(Outcomes)
        assert told == Outcomes([], [(key, "local", 1, 3, 6)], 1)
        await other.stop()
        await eventually(lambda: not node.peers.is_up("n2"))
        await peer.send(Outcomes([], [(key, "local", 1, 3, 6)]), Ping(1))
        assert await peer.next() == Pong(1)
        assert (await by_source(node))["local"] == [3, 0]


async def test_a_flood_that_apps_refuse_from_memory_is_in_the_report() -> None:
    """Each second they tell their sidecar."""
    async with cluster("n1") as (node,), client(node, remember_denials=True) as asking:
        await asking.check("login:a", "1/day")
        await asking.check("login:a", "1/day")
        decided = [await asking.check("login:a", "1/day") for _ in range(50)]
        remembered = sum(it.source == "remembered" for it in decided)
        assert remembered >= 40

        async def is_told() -> bool:
            return (await by_source(node)).get("remembered") == [0, remembered]

        assert await until(is_told, within=GENEROUS, look_every=0.01)
        assert await by_key(node, "login") == [("login:a", "n1", 52, 51)]


async def test_threads_tell_it_in_front_of_their_checks() -> None:
    def in_a_thread(address: str) -> int:
        with BlockingClient(address, budget=GENEROUS) as asking:
            asking.check("login:a", "1/day")
            asking.check("login:a", "1/day")
            decided = [asking.check("login:a", "1/day") for _ in range(50)]
            asking.check("other", "1/day")
            return sum(it.source == "remembered" for it in decided)

    async with cluster("n1") as (node,):
        remembered = await asyncio.to_thread(in_a_thread, str(node.link))
        assert (await by_source(node))["remembered"] == [0, remembered]


async def test_numbers_that_are_made_up_leave_reports_and_the_page_answered() -> None:
    """From the node that counts them, and from one that asks it."""
    async with cluster("n1", "n2") as nodes, bare(nodes[0], APP) as app:
        ring = nodes[0].cluster.ring
        keys = [key_of(name, ring, "login:") for name in ("n1", "n2")]
        rows = [(key, source, 1, 10**9, 2**64 - 1) for key in keys for source in SOURCES]
        await app.send(Outcomes([], [*rows]), Ping(1))
        assert await app.next() == Pong(1)

        async def are_counted() -> bool:
            return len(await by_key(nodes[1], "login")) == len(keys)

        assert await until(are_counted, within=GENEROUS, look_every=0.01)
        for by in get_args(By):
            await app.send(ReportQuery(7, 0, 300, "", by, 20))
            answer = await app.next()
            assert isinstance(answer, ReportAnswer)
            assert (answer.missing, answer.totals[4]) == ([], MAX_VALUE)
        event = msgspec.json.decode(await Feed(nodes[0]).event())
        assert event["rates"]["cost"] == MAX_VALUE / 10


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (("k", "owner", 1, 1, 0), "source 'owner' is none that owners miss"),
        (("k" * 513, "open", 1, 1, 0), "513 bytes"),
        (("k", "open", 2, 1, 0), "<= 1"),
        (("k", "open", 1, 0, 0), ">= 1"),
        (("k", "open", 1, 2**31, 0), "<= 1000000000"),
        ((5, "open", 1, 1, 0), "`str | null`"),
    ],
)
async def test_nonsense_counts_nothing(row: tuple[object, ...], words: str) -> None:
    async with cluster("n1") as (node,), bare(node, APP) as app:
        good = ("k", "open", 1, 1, 0)
        await app.send(frame(msgspec.msgpack.encode([18, [], [good, row]])))
        error = await app.error()
        assert words in error.text
        assert await by_source(node) == {}
