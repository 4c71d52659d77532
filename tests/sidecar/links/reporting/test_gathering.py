"""Gathering: all nodes say together what was decided, each check once, and who is missing."""

import asyncio

import pytest

from sidegate.protocol.messages import Error
from sidegate.protocol.report_messages import By, ReportAnswer, ReportQuery
from sidegate_sidecar.links.reporting.report_answers import MAX_OF_ONE
from sidegate_sidecar.process import Process
from tests.support.in_process.cluster import clients, cluster, key_of, link_of
from tests.support.in_process.puppets import bare, checks

NAMES = ("n1", "n2", "n3")
LIMITS = "5/hour"


def query(by: By = "key", rule: str = "", last: int = 300, hops: int = 0) -> ReportQuery:
    return ReportQuery(7, hops, last, rule, by, 20)


async def report(node: Process, asked: ReportQuery) -> ReportAnswer:
    """Return what a node answers to those who ask it."""
    return await node.sessions.gathering.report(asked)


async def test_each_check_counts_once_whoever_is_asked() -> None:
    """At its owner, not where it was forwarded; all nodes say the same."""
    async with cluster(*NAMES) as nodes, clients(*nodes) as asking:
        ring = nodes[0].cluster.ring
        keys = [key_of(owner, ring, f"api:{owner}-") for owner in NAMES]
        for key in keys:
            for it in asking:
                await asyncio.gather(*(it.check(key, LIMITS) for _ in range(3)))
        for node in nodes:
            answer = await report(node, query())
            assert (answer.answered, answer.of, answer.missing) == (3, 3, [])
            assert {(key, owner): sums for key, owner, sums in answer.rows} == {
                (key, owner): [9, 0, 4, 0] for key, owner in zip(keys, NAMES, strict=True)
            }
            assert answer.totals == [15, 12, 0, 0, 15]
            assert answer.error == 0
        by_node = await report(nodes[0], query("node"))
        assert sorted(by_node.rows) == [(name, "", [5, 4, 0, 0, 5]) for name in NAMES]
        by_source = await report(nodes[0], query("source", rule="api"))
        assert by_source.rows == [("owner", "", [15, 12, 0, 0, 15])]


async def test_what_a_backup_decides_it_counts() -> None:
    """While the owner is away, whose own counts are missing."""
    async with cluster(*NAMES) as nodes, clients(nodes[0]) as (asking,):
        one, two = nodes[:2]
        key = key_of("n2", one.cluster.ring, "api:")
        await asking.check(key, LIMITS)
        await two.stop()
        decided = [await asking.check(key, LIMITS) for _ in range(7)]
        answer = await report(one, query())
        assert answer.missing == ["n2"]
        assert answer.rows[0][0] == key
        sources = await report(one, query("source"))
        assert sum(sum(sums[:2]) for _, _, sums in sources.rows) == len(decided)


async def test_checks_that_make_no_sense_are_errors_of_their_rule() -> None:
    """And are under no key."""
    async with cluster("n1") as (one,), bare(one) as app:
        await app.shake()
        await app.send(checks(1, ("api:k", "no limit", 1), ("api:k" * 200, LIMITS, 1)))
        assert await app.next() is not None
        answer = await report(one, query())
        assert answer.totals == [0, 0, 0, 2, 0]
        assert answer.rows == []


async def test_an_app_is_answered_on_the_link() -> None:
    async with cluster("n1", "n2") as (one, _), clients(one) as (asking,):
        await asking.check("api:k", LIMITS)
        answer = await link_of(asking).inquire(
            lambda number: ReportQuery(number, 0, 60, "", "rule", 9), 5
        )
        assert isinstance(answer, ReportAnswer)
        assert answer.rows == [("api", "", [1, 0, 0, 0, 1])]


async def test_a_node_that_counts_nothing_is_missing_at_once() -> None:
    """With --report-rules 0."""
    async with cluster("n1", report_rules=0) as (one,), clients(one) as (asking,):
        await asking.check("api:k", LIMITS)
        answer = await report(one, query())
        assert (answer.answered, answer.of, answer.missing) == (0, 1, ["n1"])
        assert one.node.counting is None


async def test_only_nodes_are_told_keys_as_they_are() -> None:
    """An app that claims to ask for one is closed."""
    async with cluster("n1") as (one,), bare(one) as app:
        await app.shake()
        await app.send(query(hops=1))
        why = "hops 1 in a question about reports is for nodes"
        assert await app.error() == Error("bad-message", why)


@pytest.mark.parametrize("how", ["masked", "hashed"])
async def test_keys_are_shown_as_the_node_that_is_asked_may(how: str) -> None:
    async with cluster("n1", report_keys=how) as (one,), clients(one) as (asking,):
        await asking.check("api:alice@example.com", LIMITS)
        ((key, _, _),) = (await report(one, query())).rows
        assert key.startswith("api:")
        assert "alice@" not in key


async def test_too_many_questions_are_refused() -> None:
    async with cluster("n1") as (one,), bare(one) as app:
        await app.shake()
        await app.send(*(query() for _ in range(MAX_OF_ONE + 1)))
        assert (await app.error()).code == "busy"
