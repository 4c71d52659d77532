"""Reports that an app asks for: by a client in a loop, and by one in threads."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import pytest

from sidegate import BlockingClient, Client, NoReport, Report, UnknownRule
from sidegate.reports.report import KeySums, RuleSums
from sidegate.testing import isolated
from sidegate_sidecar.process import Process
from tests.support.in_process.cluster import GENEROUS, clients, cluster

Ask: TypeAlias = Callable[..., Awaitable[Report]]


def in_a_loop(sidecar: str, **options: Any) -> Ask:
    return Client(sidecar, secret="", **options).report


def in_threads(sidecar: str, **options: Any) -> Ask:
    client = BlockingClient(sidecar, secret="", **options)

    async def ask(*asked: Any, **more: Any) -> Report:
        return await asyncio.to_thread(client.report, *asked, **more)

    return ask


either = pytest.mark.parametrize("asking", [in_a_loop, in_threads])


async def decided(*nodes: Process) -> None:
    """Have some checks made."""
    async with clients(*nodes) as asking:
        for client in asking:
            await asyncio.gather(*(client.check("api:k", "3/hour") for _ in range(4)))
        await asking[0].check("login:k", "3/hour", 2)


@either
async def test_it_says_what_was_decided(asking: Callable[..., Ask]) -> None:
    async with cluster("n1", "n2") as nodes:
        await decided(*nodes)
        ask = asking(str(nodes[1].link), budget=GENEROUS)
        report, by_rule = await ask(), await ask(by="rule", last=90)
        only = await ask("login", last="1m", top=1)
    assert (report.nodes.answered, report.nodes.of, report.nodes.missing) == (2, 2, [])
    assert (report.last, report.rule, report.by, report.error) == (300.0, None, "key", 0)
    assert (report.totals.allowed, report.totals.denied, report.totals.cost) == (4, 5, 5)
    first = report.rows[0]
    assert isinstance(first, KeySums)
    assert (first.key, first.rule, first.asked, first.denied) == ("api:k", "api", 8, 5)
    api = RuleSums(rule="api", allowed=3, denied=5, shadowed=0, errors=0, cost=3)
    assert by_rule.rows[0] == api
    assert (only.rule, [row.key for row in only.rows if isinstance(row, KeySums)]) == (
        "login",
        ["login:k"],
    )


@either
async def test_bad_input_is_an_error_in_the_call(asking: Callable[..., Ask]) -> None:
    async with cluster("n1") as (node,):
        await decided(node)
        ask = asking(str(node.link), budget=GENEROUS)
        for asked, message in (
            ({"last": "5x"}, "last='5x': expected whole seconds from 1s to 3h"),
            ({"by": "user"}, "by='user': expected one of key"),
            ({"top": 0}, "top=0: expected a whole number from 1"),
        ):
            with pytest.raises(ValueError, match=message):
                await ask(**asked)
        with pytest.raises(UnknownRule, match=r'rule "apy": .* "api", "login"'):
            await ask("apy")


@either
async def test_without_a_sidecar_there_is_no_report(asking: Callable[..., Ask]) -> None:
    ask = asking("127.0.0.1:1", budget=0.05)
    with pytest.raises(NoReport, match=r"^no report: "):
        await ask()


@either
async def test_where_no_sidecar_is_asked_nothing_is_counted(asking: Callable[..., Ask]) -> None:
    ask = asking("memory")
    for by in ("key", "time"):
        report = await ask(by=by)
        assert (report.nodes.answered, report.nodes.of, report.rows) == (0, 0, [])
    with isolated():
        assert (await asking("127.0.0.1:1")()).nodes.of == 0


async def test_however_many_ask_none_is_turned_away() -> None:
    """The client asks for a few at a time: more would close its connection."""
    async with cluster("n1") as (node,), clients(node) as (client,):
        reports = await asyncio.gather(*(client.report() for _ in range(200)))
        assert {report.nodes.answered for report in reports} == {1}
        assert not node.node.counts.turned_away
