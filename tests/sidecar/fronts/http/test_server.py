"""The HTTP port, asked by those who mean it and by those who don't. On both loops."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

import pytest

from sidegate_sidecar.fronts.http import server as server_module
from sidegate_sidecar.fronts.http.app import lazy as app_module
from sidegate_sidecar.fronts.http.connection import HttpConnection, HttpTimeouts
from sidegate_sidecar.fronts.http.http11.exchange import Phase
from sidegate_sidecar.fronts.http.http11.head import HttpRequest
from sidegate_sidecar.fronts.http.http11.reply import Reply, as_json
from sidegate_sidecar.fronts.http.responder import Responder
from sidegate_sidecar.links.sessions import LATE
from sidegate_sidecar.process import Process
from tests.sidecar.fronts.http.strangers import ALIVE, GET, stranger
from tests.support.in_process.cluster import cluster, eventually
from tests.support.in_process.http_client import check, http

SECRET = b"a good secret for tests"
POST = b"POST /v1/check HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


@asynccontextmanager
async def impatient(**patience: float) -> AsyncGenerator[Process]:
    """Run a node whose HTTP connections end soon where they take their time."""
    fast = replace(HttpTimeouts(), **{"look_every": 0.01, **patience})
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(server_module, "HttpTimeouts", lambda: fast)
        async with cluster("n1") as (node,):
            yield node


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (b"", ""),
        (b"G", "timeout"),
        (GET[:-2], "timeout"),
        (POST + b"Content-Length: 9\r\n\r\n{", "timeout"),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{", "timeout"),
    ],
)
async def test_who_never_finishes_is_closed(sent: bytes, reason: str) -> None:
    """Silent, or in the middle of a head or of a body; who had begun is told."""
    async with (
        impatient(head=0.05, body=0.05, idle=0.05, linger=0.05) as node,
        stranger(node, sent) as slow,
    ):
        got = await slow.rest()
        assert got.startswith(b"HTTP/1.1 408 Request Timeout\r\n") is bool(reason)
        await eventually(lambda: not node.http_server.open)
        assert node.http_server.refusals.counts["timeout"] == bool(reason)


async def test_a_sidecar_that_stood_still_blames_nobody_for_it() -> None:
    """What came meanwhile is read before its request is too slow."""
    async with (
        impatient(head=1.0, look_every=0.5) as node,
        stranger(node, GET[:-2]) as asker,
    ):
        await eventually(
            lambda: [it for it in node.http_server.open if it.exchange.phase is Phase.HEAD]
        )
        asker.write(GET[-2:])
        time.sleep(LATE + 0.6)  # noqa: ASYNC251  # this loop is the sidecar's too
        await asker.until(ALIVE)


async def test_a_port_where_nobody_is_wakes_nobody() -> None:
    """It looks for who is overdue while there is anybody, and while refusals aren't told."""
    async with impatient(head=0.05, idle=0.05, linger=0.05) as node:
        await eventually(lambda: node.http_server.rests)
        async with stranger(node, GET) as one:
            await one.until(ALIVE)
            await eventually(lambda: not node.http_server.rests)
            assert await one.rest() == b""
        await eventually(lambda: node.http_server.rests)
        for _ in range(6):
            async with stranger(node, b"nonsense\r\n\r\n") as one:
                await one.rest()
        await eventually(lambda: not node.http_server.open)
        planned = node.http_server._look_due  # while they were there
        await eventually(lambda: node.http_server._look_due > planned)


async def test_who_asks_again_and_again_stays_a_moment() -> None:
    """A connection is kept for the next request, and closed when none comes."""
    async with impatient(idle=0.5) as node, stranger(node, GET) as one:
        await one.until(ALIVE)
        one.write(GET)
        await one.until(ALIVE)
        assert await one.rest() == b""


async def test_who_never_reads_is_closed_and_little_is_kept_for_it() -> None:
    """Ten thousand requests at once, and no reply is read: the replies aren't made."""
    ask = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
    async with impatient(unread=0.5) as node, stranger(node) as deaf:
        deaf.stop_reading()
        deaf.write(ask * 10_000)
        (connection,) = await _opened(node, 1)
        await eventually(lambda: connection.unwritten > 0)
        assert connection.unwritten < 100_000
        async with http(node) as client:
            assert (await client.get("/healthz")).status_code == 200
        await eventually(lambda: not node.http_server.open)


async def test_requests_that_come_at_once_are_answered_in_order() -> None:
    """Two hundred of them, on one connection."""
    async with cluster("n1") as (node,), stranger(node) as one:
        one.write(GET * 199 + GET.replace(b"healthz", b"readyz"))
        for _ in range(199):
            assert (await one.until(b"}")).endswith(ALIVE)
        assert (await one.until(b"}")).endswith(b'{"status":"ready"}')


@pytest.mark.parametrize(
    "endless", [b"a" * 65_536, b"x: y\r\n" * 10_000, b"\r" * 65_536, b"\x16\x03\x01" * 20_000]
)
async def test_who_never_ends_is_told_and_closed(endless: bytes) -> None:
    """An endless line, endless fields, no HTTP at all: nothing of it is kept."""
    async with impatient(linger=0.05) as node, stranger(node, b"GET /healthz") as one:
        for _ in range(100):
            one.write(endless)
        got = await one.rest()
        assert got == b"" or got.startswith(b"HTTP/1.1 4")
        await eventually(lambda: not node.http_server.open)
        counts = node.http_server.refusals.counts
        assert counts["too-long"] + counts["malformed"] == 1


async def test_a_refusal_arrives_though_more_was_under_way() -> None:
    """What the client still sends is read for a moment: else it would see a reset, and no word."""
    async with cluster("n1", secret=SECRET) as (node,), stranger(node) as one:
        one.write(POST + b"Content-Length: 60000\r\n\r\n" + b"a" * 60_000)
        assert (await one.rest()).startswith(b"HTTP/1.1 401 Unauthorized\r\n")


async def test_who_says_no_more_gets_the_answer() -> None:
    """Half-closed after its request, as some tools do."""
    async with cluster("n1") as (node,), stranger(node, GET) as one:
        one.writer.write_eof()
        assert (await one.rest()).endswith(ALIVE)


async def test_connections_that_have_shown_nothing_make_room() -> None:
    """The oldest goes for the newest, so whoever comes now is heard; and it is counted."""
    async with cluster("n1") as (node,), AsyncExitStack() as strangers:
        pool = node.http_server.unproven
        pool.max_local = 4
        for _ in range(8):
            await strangers.enter_async_context(stranger(node, b"G"))
        await eventually(lambda: pool.displaced == 4)
        async with http(node) as client:
            assert (await client.get("/healthz")).status_code == 200
        await eventually(lambda: node.http_server.refusals.counts["busy"] == 5)
        assert len(node.http_server.open) <= 5


async def test_who_has_shown_the_secret_makes_no_room() -> None:
    """Its connection stays however many strangers come."""
    headers = {"Authorization": f"Bearer {SECRET.decode()}"}
    async with cluster("n1", secret=SECRET) as (node,), http(node) as client:
        node.http_server.unproven.max_local = 2
        client.headers.update(headers)
        await check(client, "k")
        async with AsyncExitStack() as strangers:
            for _ in range(8):
                await strangers.enter_async_context(stranger(node, b"G"))
            await eventually(lambda: node.http_server.unproven.displaced >= 6)
            reply = await client.post("/v1/check", json={"key": "k", "limits": "5/hour"})
        assert reply.status_code == 200
        assert len(node.http_server.proven) == 1


async def test_strangers_write_few_lines(caplog: pytest.LogCaptureFixture) -> None:
    """Of many bad requests a few are told, and all are counted."""
    async with cluster("n1") as (node,):
        for _ in range(40):
            async with stranger(node, b"nonsense\r\n\r\n") as one:
                assert b"400 Bad Request" in await one.until(b"\r\n")
        assert node.http_server.refusals.counts["malformed"] == 40
    lines = [it for it in caplog.messages if "refused an HTTP request" in it]
    assert lines == ["refused an HTTP request of 127.0.0.1: malformed (400)"] * 5


@pytest.mark.parametrize(
    ("method", "path", "fields", "status"),
    [
        ("GET", "/v1/nodes", {"Host": "rebound.example"}, 421),
        ("GET", "/healthz", {"Origin": "http://evil.example"}, 403),
        ("GET", "/metrics", {"Sec-Fetch-Site": "cross-site"}, 403),
        ("POST", "/v1/leave", {"Origin": "null"}, 403),
        ("POST", "/v1/leave", {"Content-Type": "application/x-www-form-urlencoded"}, 422),
        ("POST", "/v1/leave", {"Content-Type": "text/plain"}, 422),
        ("DELETE", "/v1/keys/k", {"Content-Type": "text/plain"}, 422),
        ("POST", "/v1/check", {}, 422),
        ("GET", "/nothing", {}, 404),
        ("GET", "/v1", {}, 404),
        ("OPTIONS", "/v1/check", {}, 405),
        ("PUT", "/metrics", {}, 405),
        ("HEAD", "/v1/check", {}, 405),
    ],
)
async def test_what_is_refused_imports_no_app(
    method: str, path: str, fields: dict[str, str], status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The front says no by itself, and nothing has happened."""
    async with cluster("n1") as (node,), http(node) as client:
        monkeypatch.setattr(app_module.LazyApp, "_server", None)
        reply = await client.request(method, path, headers=fields)
        assert reply.status_code == status
        assert (reply.headers.get("allow") is not None) == (status == 405)
        assert node.cluster.stage.value == "member"


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/docs", "/v1/nodes"])
async def test_head_is_as_get(path: str) -> None:
    """The same status and fields, and no body."""
    async with cluster("n1") as (node,), http(node) as client:
        got, head = await client.get(path), await client.head(path)
        assert (head.status_code, head.content) == (200, b"")
        for field in ("content-type", "content-length"):
            assert head.headers[field] == got.headers[field]


async def test_an_app_that_can_not_be_imported_is_a_fault_of_ours(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is told, and the next request tries again."""
    async with cluster("n1") as (node,), http(node) as client:
        with monkeypatch.context() as broken:
            broken.setattr(app_module.LazyApp, "_load", _fail)
            reply = await client.get("/v1/nodes")
            assert reply.status_code == 500
            assert "division" not in reply.text
        assert (await client.get("/v1/nodes")).status_code == 200
        assert (await client.get("/healthz")).status_code == 200
    assert "a fault in sidegate" in caplog.text


def _fail(_app: object) -> None:
    raise ZeroDivisionError("division by the inside")


async def test_checks_over_one_connection_go_on() -> None:
    """A client that keeps its connection has each check answered."""
    async with cluster("n1") as (node,), http(node) as client:
        left = [(await check(client, "k", "100/hour"))["remaining"] for _ in range(100)]
        assert left == [*range(99, -1, -1)]
        assert len(node.http_server.open) == 1


async def test_a_call_in_progress_ends_before_the_server_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is answered while no new connection is taken."""
    begun, may_end = asyncio.Event(), asyncio.Event()

    async def slow(_answers: Responder, _request: HttpRequest) -> Reply:
        begun.set()
        await may_end.wait()
        return as_json(200, {})

    monkeypatch.setattr(Responder, "call", slow)
    async with cluster("n1") as (node,), http(node) as client:
        asking = asyncio.create_task(client.get("/v1/nodes"))
        await begun.wait()
        stopping = asyncio.create_task(node.http_server.stop())
        await asyncio.sleep(0)  # it has begun to
        with pytest.raises(ConnectionError):
            await asyncio.open_connection("127.0.0.1", node.http.port)
        may_end.set()
        assert (await asking).status_code == 200
        await stopping


async def _opened(sidecar: Process, count: int) -> list[HttpConnection]:
    await eventually(lambda: len(sidecar.http_server.open) == count)
    return [*sidecar.http_server.open]
