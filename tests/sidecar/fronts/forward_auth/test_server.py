"""The forward-auth port, asked by plain sockets: what is answered, and what is bounded."""

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import pytest

from sidegate_sidecar.fronts.forward_auth.heads import MAX_BODY_BYTES, MAX_HEAD_BYTES
from sidegate_sidecar.fronts.port_connection import MAX_UNREAD
from sidegate_sidecar.links.sessions import LATE
from sidegate_sidecar.process import Process
from tests.sidecar.fronts.forward_auth.asking_proxies import (
    answering,
    by_nginx,
    exchange,
    forwarded,
    impatient,
    proxy,
    request,
    server_of,
    statuses,
)
from tests.support.in_process.cluster import client, eventually

OK = b"HTTP/1.1 200 OK\r\n"


def held(node: Process) -> int:
    """Return how many bytes are kept of what proxies sent."""
    return max(len(it._data) for it in server_of(node).open)


async def test_a_request_passes_with_fields_or_is_refused_with_them() -> None:
    """The same that middleware writes, and the bucket is that of the rule for everybody."""
    async with answering() as node:
        first, _, refused = (await exchange(node, request("/login") * 3)).split(b"HTTP/1.1 ")[1:]
        assert first.startswith(b"200 OK\r\ncontent-length: 0\r\ndate: ")
        assert b'\r\nratelimit-policy: "login";q=2;w=3600\r\nratelimit: "login";r=1;t=' in first
        assert refused.startswith(b"429 Too Many Requests\r\ndate: ")
        for field in (
            b'ratelimit: "login";r=0;t=',
            b"content-type: application/problem+json",
            b"cache-control: no-store",
            b"retry-after: ",
        ):
            assert b"\r\n" + field in refused
        assert b'"violated-policies":["login"]}' in refused
        async with client(node) as app:
            assert not (await app.check("login:192.0.2.1", "2/hour")).allowed
            assert (await app.check("login:192.0.2.2", "2/hour")).allowed
        counted = server_of(node).counts.requests
        assert (counted["allowed", "owner"], counted["denied", "owner"]) == (2, 1)


async def test_what_no_rule_limits_passes_without_fields() -> None:
    async with answering() as node:
        got = await exchange(node, request("/free") + request("/other"))
        assert got.count(OK) == 2
        assert b"ratelimit" not in got
        assert server_of(node).counts.requests["allowed", "none"] == 2
        assert node.node.asked == 0


async def test_a_rule_that_is_only_tried_refuses_nobody() -> None:
    async with answering() as node:
        got = await exchange(node, request("/tried") * 2)
        assert got.count(OK) == 2
        assert got.count(b"\r\nsidegate-shadow: denied") == 1


async def test_all_kinds_of_proxies_share_a_bucket() -> None:
    """For nginx with 403 for an answer, and no body; the fields are the same."""
    async with answering() as node:
        asked = by_nginx("/login"), forwarded("caddy", "/login"), request("/login")
        assert await statuses(node, *asked, forwarded("traefik", "/login")) == [200, 200, 429, 429]
        got = await exchange(node, by_nginx("/login"))
        assert got.startswith(b"HTTP/1.1 403 Forbidden\r\n")
        assert b"\r\nretry-after: " in got
        assert got.endswith(b"\r\ncontent-length: 0\r\n\r\n")
        got = await exchange(node, request("/login", method="HEAD"))
        assert got.startswith(b"HTTP/1.1 429 ")
        assert got.endswith(b"\r\n\r\n")


async def test_where_frameworks_read_a_path_differently_all_rules_have_to_let_it_pass() -> None:
    """And one that is refused costs nothing under the others."""
    rules = """
version: 1
rules:
- {name: a, match: {path: /a/x}, limits: 5/hour}
- {name: b, match: {path: "/b/*"}, limits: 1/hour}
"""
    async with answering(rules) as node, client(node) as app:
        both = request("/b/../a/x")  # to some it is /a/x
        got = (await exchange(node, both)).partition(b"\r\n\r\n")[0]
        assert got.count(b"\r\nratelimit: ") == 1
        assert b'"a";r=4;t=' in got
        assert b'"b";r=0;t=' in got
        refused = await exchange(node, both)
        assert refused.startswith(b"HTTP/1.1 429 ")
        assert b'["b"]' in refused
        assert (await app.peek("a:192.0.2.1"))["5/hour"] == 1


async def test_a_client_that_can_be_read_in_two_ways_is_refused() -> None:
    """Not passed over: nginx is told in its way."""
    twice = "X-Api-Key: a", "X-Api-Key: b"
    async with answering() as node:
        asked = request("/keyed", *twice), by_nginx("/keyed", *twice), request("/keyed", twice[0])
        assert await statuses(node, *asked) == [400, 403, 200]
        assert server_of(node).counts.requests["malformed", "none"] == 2


@pytest.mark.parametrize(
    ("data", "status", "reason"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 404, "path"),
        (b"GET /v1/auth/envoy HTTP/1.1\r\nHost: a\r\n\r\n", 400, "proxy"),
        (b"GET /v1/auth/nginx HTTP/1.1\r\nHost: a\r\n\r\n", 403, "proxy"),
        (b"GET /v1/auth/nginx HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 403, "malformed"),
        (b"GET /v1/auth/envoy HTTP/1.1\nHost: a\n\n", 400, "malformed"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "malformed"),
        (request("/", "Transfer-Encoding: chunked"), 411, "malformed"),
        (request("/", f"Content-Length: {MAX_BODY_BYTES + 1}"), 413, "too-long"),
        (request("/", f"X: {'x' * MAX_HEAD_BYTES}"), 431, "too-long"),
        (by_nginx("/", f"X: {'x' * MAX_HEAD_BYTES}"), 403, "too-long"),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 200, 431, "too-long"),
        (b"x" * (MAX_HEAD_BYTES + 1), 431, "too-long"),
    ],
)
async def test_what_cannot_be_answered_is_told_and_counted(
    data: bytes, status: int, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Other proxies notice nothing."""
    async with answering() as node, proxy(node, request()) as other:
        await other.until(b"\r\n\r\n")
        assert await statuses(node, data) == [status]
        assert server_of(node).counts.refused[reason] == 1
        assert node.node.asked == 0
        other.write(request())
        assert (await other.until(b"\r\n\r\n")).startswith(OK)
    (line,) = [it for it in caplog.messages if it.startswith("refused what 127.0.0.1:")]
    assert f" asked: {reason} (" in line


async def test_a_body_is_thrown_away() -> None:
    """However it comes; who waits for a word before it sends one gets that."""
    body = b"GET / HTTP/1.1\r\n\r\n" * 3_000
    asked = request("/free", f"Content-Length: {len(body)}", "Expect: 100-continue")
    async with answering() as node, proxy(node, asked) as one:
        assert await one.until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        one.write(body + request("/free", "Connection: close"))
        got = await one.rest()
        assert got.count(OK) == 2
        assert got.count(b"HTTP/1.1") == 2


async def test_half_a_head_is_waited_for() -> None:
    """Each byte may come by itself."""
    async with answering() as node, proxy(node) as one:
        for byte in request("/login") + request("/login"):
            one.write(bytes([byte]))
            await one.writer.drain()
            await asyncio.sleep(0)
        assert (await one.until(b"\r\n\r\n")).startswith(OK)
        assert (await one.until(b"\r\n\r\n")).startswith(OK)


async def test_many_at_once_are_answered_in_their_order() -> None:
    """One after the other; little of them is kept."""
    rules = "version: 1\nrules: [{name: all, limits: 100000/year}]\n"
    async with answering(rules) as node, proxy(node) as one, proxy(node) as other:
        one.write(request() * 5_000)
        await eventually(lambda: server_of(node).counts.requests["allowed", "owner"] > 10)
        other.write(request(client="192.0.2.9"))
        await other.until(b"\r\n\r\n")  # after a few of them
        assert server_of(node).counts.requests["allowed", "owner"] < 4_000
        assert held(node) <= 2 * MAX_HEAD_BYTES
        left = [await one.until(b"\r\n\r\n") for _ in range(5_000)]
        assert [int(it.split(b";r=")[1].split(b";")[0]) for it in left] == [
            *range(99_999, 94_999, -1)
        ]


async def test_all_that_is_asked_in_one_turn_is_one_frame() -> None:
    async with answering() as node, AsyncExitStack() as stack:
        opened = [await stack.enter_async_context(proxy(node, request())) for _ in range(8)]
        for one in opened:
            await one.until(b"\r\n\r\n")
        for at, one in enumerate(opened):
            one.write(request("/login", client=f"192.0.2.{at}"))
        for one in opened:
            assert (await one.until(b"\r\n\r\n")).startswith(OK)
        assert node.node.asked < 8  # 1, but where the system brings them in two turns


async def test_who_never_reads_is_closed_and_little_is_kept_for_it() -> None:
    async with impatient(patience={"request": 0.1}) as node, proxy(node) as deaf:
        deaf.stop_reading()
        deaf.write(request("/nothing-here") * 100_000)
        (connection,) = await eventually(lambda: server_of(node).open)
        await eventually(lambda: connection.transport.get_write_buffer_size() > MAX_UNREAD)
        assert connection.transport.get_write_buffer_size() < 4 * MAX_UNREAD
        assert held(node) <= 2 * MAX_HEAD_BYTES
        connection.expire(server_of(node).now() + 0.2)  # that isn't for what we haven't looked at
        assert connection._over_since is None
        server_of(node).patience = replace(server_of(node).patience, unread=0.05)
        assert await statuses(node, request()) == [200]
        await eventually(lambda: not server_of(node).open)
        assert server_of(node).counts.refused["timeout"] == 1


PATIENCE: list[tuple[dict[str, float], bytes, list[int]]] = [
    ({"request": 0.05}, request()[:-1], [408]),
    ({"request": 0.05}, by_nginx("/")[:-1], [403]),
    ({"request": 0.05}, request("/free", "Content-Length: 5") + b"1234", [408]),
    ({"idle": 0.05}, request(), [200]),
    ({"idle": 0.05}, request("/login"), [200]),
]


@pytest.mark.parametrize(("patience", "data", "expected"), PATIENCE)
async def test_a_request_has_to_end_and_another_to_come(
    patience: dict[str, float], data: bytes, expected: list[int]
) -> None:
    """Or the connection is closed."""
    async with impatient(patience=patience) as node:
        got = await exchange(node, data, ends=False)
        assert [int(it[:3]) for it in got.split(b"HTTP/1.1 ")[1:]] == expected
        await eventually(lambda: not server_of(node).open)
        assert server_of(node).counts.refused["timeout"] == (expected != [200])


async def test_a_sidecar_that_stood_still_blames_nobody_for_it() -> None:
    patience = {"request": 1.0, "look_every": 0.5}
    async with impatient(patience=patience) as node, proxy(node, request()[:-1]) as one:
        await eventually(lambda: [it for it in server_of(node).open if it._since])
        one.write(request()[-1:])
        time.sleep(LATE + 0.6)  # noqa: ASYNC251  # this loop is the sidecar's too
        assert (await one.until(b"\r\n\r\n")).startswith(OK)


async def test_rules_may_change_between_two_requests(tmp_path: Any) -> None:
    """The next one goes by the new ones."""
    async with answering() as node, proxy(node, request("/free")) as one:
        assert b"ratelimit" not in await one.until(b"\r\n\r\n")
        assert node.rules is not None
        file = tmp_path / "new.yaml"
        file.write_text("version: 1\nrules: [{name: new, limits: 7/hour}]\n")
        from_file = type(node.rules)(str(file))
        node.rules.value = from_file.value
        one.write(request("/free"))
        assert b'"new";r=6;t=' in await one.until(b"\r\n\r\n")


async def test_who_leaves_has_its_answers() -> None:
    """A sidecar that departs takes no more, and closes."""
    async with answering() as node, proxy(node, request("/login")) as one:
        await one.until(b"\r\n\r\n")
        await server_of(node).depart()
        one.write(request("/login"))
        assert await one.rest() == b""
        assert node.node.asked == 1
