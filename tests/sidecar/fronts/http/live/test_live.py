"""The feed at /v1/live: who reads it, how it ends, and what a reader can make a node hold."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx2
import pytest

from sidegate_sidecar.fronts.http import server as server_module
from sidegate_sidecar.fronts.http.connection import HttpTimeouts
from sidegate_sidecar.fronts.http.http11.head import Head
from sidegate_sidecar.fronts.http.live import live as live_module
from sidegate_sidecar.fronts.http.live.live import Live
from sidegate_sidecar.process import Process
from tests.sidecar.fronts.http.strangers import Stranger, stranger
from tests.support.in_process.cluster import cluster, eventually
from tests.support.in_process.http_client import http, problem

SECRET = b"a good secret for tests"
READ = b"GET /v1/live HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have events come without a wait."""
    monkeypatch.setattr(live_module, "EVERY", 0.01)


@asynccontextmanager
async def reading(client: httpx2.AsyncClient) -> AsyncGenerator[AsyncIterator[dict[str, Any]]]:
    """Read the feed; the events come one by one."""
    async with client.stream("GET", "/v1/live") as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/event-stream"
        yield (json.loads(it[6:]) async for it in answer.aiter_lines() if it)


def live_of(node: Process) -> Live:
    return node.http_server.live


async def test_events_come_one_after_the_other() -> None:
    """Each has the nodes with their parts of the ring, and where this one stands."""
    async with cluster("n1", "n2") as (one, _), http(one) as client, reading(client) as events:
        first, second = await anext(events), await anext(events)
        assert second["time"] > first["time"]
        assert (first["name"], first["nodes"]["of"]) == ("n1", 2)
        nodes = {it["name"]: it for it in first["ring"]["nodes"]}
        assert sum(it["share"] for it in nodes.values()) == pytest.approx(1.0)
        assert [it["me"] for it in nodes.values()] == [True, False]
        assert [it["stage"] for it in nodes.values()] == ["member", "member"]
        assert all(-5 < it["age"] < 600 for it in nodes.values())


async def test_all_readers_of_a_node_share_one_look() -> None:
    """And nobody looks when the last of them has gone."""
    async with cluster("n1") as (node,), AsyncExitStack() as readers:
        looks = 0

        async def look() -> bytes:
            nonlocal looks
            looks += 1
            return json.dumps(looks).encode()

        live_of(node).look = look
        clients = [await readers.enter_async_context(http(node)) for _ in range(4)]
        feeds = [await readers.enter_async_context(reading(client)) for client in clients]
        for events in feeds:
            assert await anext(events)
        assert len(live_of(node).readers) == 4
        before = looks
        await eventually(lambda: looks >= before + 4)
        await readers.aclose()
        await eventually(lambda: not live_of(node).readers)
        await eventually(lambda: live_of(node)._looking is None)
        async with http(node) as client, reading(client) as events:
            assert await anext(events)  # and begins anew for the next


async def test_there_are_only_so_many_readers(monkeypatch: pytest.MonkeyPatch) -> None:
    """One more is told to come later, and gets in when there is room."""
    monkeypatch.setattr(live_module, "MAX_READERS", 1)
    async with cluster("n1") as (node,), http(node) as client, http(node) as other:
        async with reading(client) as events:
            await anext(events)
            refused = await other.get("/v1/live")
            problem(refused, 503)
            assert refused.headers["retry-after"] == "5"
        await eventually(lambda: not live_of(node).readers)
        async with reading(other) as events:
            assert await anext(events)


async def test_who_does_not_read_is_left_out_and_then_cut_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A node holds one event for it at the most; others read on."""
    monkeypatch.setattr(server_module, "HttpTimeouts", lambda: HttpTimeouts(unread=1.0))
    event = json.dumps("x" * 50_000).encode()

    async def look() -> bytes:
        return event

    async with cluster("n1") as (node,), stranger(node, READ) as deaf:
        live_of(node).look = look
        deaf.stop_reading()
        await eventually(lambda: live_of(node).readers)
        (connection,) = live_of(node).readers
        most = 0

        def gone() -> bool:
            nonlocal most
            most = max(most, connection.unwritten)
            return connection not in live_of(node).readers

        async with http(node) as client, reading(client) as events:
            assert await anext(events)
            await eventually(gone)
            assert await anext(events)
        assert 0 < most < 2 * len(event)


async def test_who_says_more_meanwhile_is_not_heard() -> None:
    """Nothing of it is kept, and no further request is answered."""
    async with cluster("n1") as (node,), stranger(node, READ) as one:
        await one.until(b"\n\n")
        for _ in range(100):
            one.write(READ + b"x" * 10_000)
        for _ in range(10):
            assert (await one.until(b"\n\n")).startswith(b"data: ")
        (connection,) = live_of(node).readers
        assert not connection.exchange._unread


@pytest.mark.parametrize("how", ["abort", "end"])
async def test_a_reader_that_goes_is_forgotten(how: str) -> None:
    """At once, however it goes."""
    async with cluster("n1") as (node,), stranger(node, READ) as one:
        await one.until(b"\n\n")
        if how == "abort":
            one.writer.transport.abort()
        else:
            one.writer.write_eof()
        await eventually(lambda: not live_of(node).readers and not node.http_server.open)


async def test_head_is_as_get_and_ends() -> None:
    async with cluster("n1") as (node,), http(node) as client:
        head = await client.head("/v1/live")
        assert (head.status_code, head.headers["content-type"]) == (200, "text/event-stream")
        assert not live_of(node).readers


async def test_reading_is_for_this_machine_or_with_the_secret() -> None:
    """What a proxy passes on is from elsewhere."""
    elsewhere = {"X-Forwarded-For": "192.0.2.1"}
    proof = {"Authorization": f"Bearer {SECRET.decode()}"}
    async with cluster("n1", secret=SECRET) as (node,), http(node) as client:
        problem(await client.get("/v1/live", headers=elsewhere), 401)
        async with reading(client) as events:
            assert await anext(events)
        client.headers.update(elsewhere | proof)
        async with reading(client) as events:
            assert await anext(events)


async def test_a_reader_whose_secret_does_not_hold_any_more_is_ended() -> None:
    async with cluster("n1") as (node,), stranger(node, READ) as one:
        await one.until(b"\n\n")
        live_of(node)._may = _may_not
        await _ends(one)
        await eventually(lambda: not live_of(node).readers)


async def test_a_fault_ends_the_readers_and_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """They come again, and it is tried again."""

    async def fail() -> bytes:
        raise ZeroDivisionError

    async with cluster("n1") as (node,), stranger(node, READ) as one, http(node) as client:
        await one.until(b"\n\n")
        well, live_of(node).look = live_of(node).look, fail
        await _ends(one)
        live_of(node).look = well
        async with reading(client) as events:
            assert await anext(events)
    assert "a fault in sidegate" in caplog.text


async def test_a_server_that_stops_ends_the_streams() -> None:
    async with cluster("n1") as (node,), stranger(node, READ) as one:
        await one.until(b"\n\n")
        await asyncio.gather(node.http_server.stop(), _ends(one))


def _may_not(_head: Head) -> bool:
    return False


async def _ends(one: Stranger) -> None:
    assert b"HTTP/1.1" not in await one.rest()
