"""Events that an app records: by a client in a loop, and by one in threads."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeAlias

import pytest

from sidegate import BlockingClient, Client, EventReport, NoEventLoop, NoReport, UnknownRule
from sidegate.reports.event_report import EventKey, MomentEvents, NodeEvents, OneEvent
from sidegate_sidecar.lab.waiting import until
from sidegate_sidecar.process import Process
from tests.support.in_process.cluster import GENEROUS, cluster

Asked: TypeAlias = AbstractAsyncContextManager[tuple[Any, Callable[..., Any]]]


@asynccontextmanager
async def in_a_loop(sidecar: str, **options: Any) -> AsyncGenerator[tuple[Any, Callable[..., Any]]]:
    """Make a client, and what calls its methods."""

    async def call(method: Any, *asked: Any, **more: Any) -> Any:
        return await method(*asked, **more)

    async with Client(sidecar, secret="", budget=GENEROUS, **options) as client:
        yield client, call


@asynccontextmanager
async def in_threads(
    sidecar: str, **options: Any
) -> AsyncGenerator[tuple[Any, Callable[..., Any]]]:
    """Make a client, and what calls its methods."""
    client = BlockingClient(sidecar, secret="", budget=GENEROUS, **options)
    try:
        yield client, asyncio.to_thread
    finally:
        await asyncio.to_thread(client.close)


either = pytest.mark.parametrize("asking", [in_a_loop, in_threads])


async def counted(node: Process, count: int) -> EventReport:
    """Wait until a sidecar has counted so many events; return its report by key."""
    async with in_a_loop(str(node.link)) as (client, _):

        async def are_counted() -> bool:
            report = await client.events()
            return bool(report.totals.count >= count)

        assert await until(are_counted, within=GENEROUS, look_every=0.02)
        report: EventReport = await client.events()
    return report


@either
async def test_what_is_recorded_is_in_the_reports(asking: Callable[..., Asked]) -> None:
    async with cluster("n1", "n2") as nodes, asking(str(nodes[0].link)) as (client, call):
        for country, value in (("DE", 19.5), ("FR", 3), ("DE", 0.5)):
            client.record("signup", key=country, value=value)
        client.record("visit")
        report = await counted(nodes[1], 4)
        assert (report.nodes.answered, report.nodes.of, report.nodes.missing) == (2, 2, [])
        signups = await call(client.events, "signup", last="10m", by="key")
        assert (signups.event, signups.by, signups.error) == ("signup", "key", 0)
        assert (signups.totals.count, signups.totals.sum) == (3, 23.0)
        rows = [(row.key, row.event, row.count, row.sum) for row in signups.rows]
        assert rows == [("DE", "signup", 2, 20.0), ("FR", "signup", 1, 3.0)]
        assert all(isinstance(row, EventKey) and row.node for row in signups.rows)
        every = await call(client.events, by="event")
        assert every.rows == [
            OneEvent(event="signup", count=3, sum=23.0),
            OneEvent(event="visit", count=1, sum=1.0),
        ]
        line = (await call(client.events, "signup", by="time", last=60)).rows
        assert len(line) == 60
        assert sum(row.count for row in line if isinstance(row, MomentEvents)) == 3
        nodes_ = (await call(client.events, by="node")).rows
        assert sum(row.count for row in nodes_ if isinstance(row, NodeEvents)) == 4


@either
async def test_a_report_of_a_name_that_no_rule_has_is_that_of_the_event(
    asking: Callable[..., Asked],
) -> None:
    async with cluster("n1") as (node,), asking(str(node.link)) as (client, call):
        client.record("signup", key="DE")
        client.record("login", key="DE")
        await counted(node, 2)
        report = await call(client.report, "signup", last="10m", by="key")
        assert isinstance(report, EventReport)
        assert [(it.key, it.count) for it in report.rows if isinstance(it, EventKey)] == [("DE", 1)]
        await call(client.check, "login:k", "3/hour")
        assert (await call(client.report, "login")).totals.allowed == 1
        with pytest.raises(UnknownRule, match='rule "sign"'):
            await call(client.report, "sign")
        with pytest.raises(UnknownRule, match='rule "signup"'):
            await call(client.report, "signup", by="source")
        assert (await call(client.events, "sign")).totals.count == 0


@either
async def test_what_waits_is_told_at_close(asking: Callable[..., Asked]) -> None:
    """Also where nothing was asked before."""
    async with cluster("n1") as (node,):
        async with asking(str(node.link)) as (client, _):
            for at in range(1_000):
                client.record("signup", key=f"{at}")
        node.sessions.told_events.pass_on()
        assert (await counted(node, 1_000)).totals.count == 1_000


@either
async def test_while_the_sidecar_is_away_it_waits(asking: Callable[..., Asked]) -> None:
    async with cluster("n1") as (node,):
        where = node.link
    async with asking(str(where)) as (client, call):
        client.record("signup", key="DE")
        with pytest.raises(NoReport):
            await call(client.events)
        async with cluster("n1", link=where) as (again,):
            assert (await counted(again, 1)).totals.count == 1


@either
@pytest.mark.parametrize("mode", ["memory", "off"])
async def test_where_no_sidecar_is_asked_nothing_is_kept(
    asking: Callable[..., Asked], mode: str
) -> None:
    async with asking(mode) as (client, call):
        client.record("signup")
        report = await call(client.events, "signup")
        assert (report.totals.count, report.nodes.of, report.rows) == (0, 0, [])


@either
async def test_nonsense_is_a_value_error(asking: Callable[..., Asked]) -> None:
    async with asking("memory") as (client, call):
        for bad in (("",), ("a:b",), ("a", "k" * 513), ("a", "k", -1)):
            with pytest.raises(ValueError, match="expected"):
                client.record(*bad)
        with pytest.raises(ValueError, match="event='a:b': expected the name of an event"):
            await call(client.events, "a:b")
        with pytest.raises(ValueError, match="by='source': expected one of key, event, node, time"):
            await call(client.events, by="source")
        with pytest.raises(ValueError, match="expected at most 10m"):
            await call(client.events, last="1h")


def test_outside_of_asyncio_a_client_of_loops_says_so() -> None:
    with pytest.raises(NoEventLoop):
        Client("memory").record("signup")


async def test_many_threads_lose_nothing() -> None:
    """And the thread that tells ends when nothing waits."""
    async with cluster("n1") as (node,), in_threads(str(node.link)) as (client, _):

        def record() -> None:
            for at in range(500):
                client.record("signup", key=f"{at % 7}")

        await asyncio.gather(*(asyncio.to_thread(record) for _ in range(8)))
        assert (await counted(node, 4_000)).totals.count == 4_000

        async def has_ended() -> bool:
            return all(it.name != "sidegate events" for it in threading.enumerate())

        assert await until(has_ended, within=GENEROUS, look_every=0.02)
