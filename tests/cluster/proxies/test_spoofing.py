"""Clients that write the fields of proxies, or spell what they ask oddly: it gets them nothing."""

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from tests.cluster.proxies.fleet_behind_proxies import KINDS, BehindProxies, behind, client_at
from tests.support.apps.clients import statuses
from tests.support.in_process.cluster import GENEROUS

LIES: Final = (  # for each request another one
    {"x-forwarded-for": "192.0.2.{at}"},
    {"x-forwarded-for": "192.0.2.{at}, 127.0.0.1"},
    {"x-forwarded-for": "127.0.0.1", "forwarded": "for=192.0.2.{at}"},
    {"x-real-ip": "192.0.2.{at}", "x-client-ip": "192.0.2.{at}"},
    {"x-original-uri": "/ready", "x-original-url": "/ready"},
    {"x-forwarded-uri": "/ready", "x-forwarded-path": "/ready"},
    {"x-original-method": "POST", "x-forwarded-method": "POST"},
    {"x-original-host": "free.example", "x-forwarded-host": "free.example"},
    {"sidegate-secret": "x", "x-envoy-original-path": "/ready", "x-envoy-internal": "true"},
    {"x_forwarded_for": "192.0.2.{at}", "x_original_uri": "/ready"},
    {"connection": "x-forwarded-for, x-original-uri, x-forwarded-uri"},
    {"connection": "close, sidegate-secret, x-original-method", "x-forwarded-for": "unknown"},
)
PATHS: Final = (  # which all are /hidden/x to one framework or another
    *("/hidden/x", "//hidden/x", "/./hidden/x", "/a/../hidden/x", "/hidden/%78", "/%68idden/x"),
    *("/hidden/x?/ready", "/hidden/x#/ready", "/hidden//x", "/hidden/x/", "http://a/hidden/x"),
)
FIELDS: Final = (
    b"X-Original-URI: /ready\r\nX-Original-URI: /ready",
    b"X-Forwarded-Uri: /ready\r\nX-Forwarded-Uri: /ready",
    b"X-Forwarded-For: \r\nX-Forwarded-For: ,",
    b"X-Api-Key: a\r\nX-Api-Key: b",
    b"X-Odd: \x01\x02",
    b"X-Odd: \xff\xfe\x80",
    b"X-Folded: a\r\n b",
    b"".join(b"X-Many-%d: %s\r\n" % (at, b"m" * 7_000) for at in range(4)) + b"X-Last: 1",
    b"".join(b"X-Many-%d: m\r\n" % at for at in range(150)) + b"X-Last: 1",
    b"Upgrade: websocket\r\nConnection: Upgrade",
    b"Expect: 100-continue\r\nContent-Length: 5",
    b"Content-Length: 5\r\nTransfer-Encoding: chunked",
    b"Host: b",
)

LENGTHS: Final = range(14_800, 15_600, 40)  # with which a head nearly fits into 16 KiB


async def test_who_writes_the_fields_of_proxies_is_limited_like_others(tmp_path: Path) -> None:
    """Not under another address, nor by another path, method or host."""
    async with behind(tmp_path, *KINDS) as behind_them:
        for at, proxy in enumerate(behind_them.proxies):
            async with client_at(f"127.0.0.{at + 5}") as http:
                host = {"host": "limited.example"} | LIES[7]
                assert (await http.get(f"{proxy.url}/page", headers=host)).status_code == 429
                answers = [
                    await http.get(f"{proxy.url}/page", headers=_filled(lie, number))
                    for number, lie in enumerate(LIES)
                ]
                got = statuses(answers)
                assert got[:5] == [200] * 5, proxy.title
                assert set(got[5:]) <= {429, 400}, proxy.title  # 400 says Envoy for odd Connection
                methods = {"x-original-method": "GET", "x-forwarded-method": "GET"}
                posts = [await http.post(f"{proxy.url}/page", headers=methods) for _ in range(2)]
                assert statuses(posts) == [200, 429], proxy.title
                for lie in LIES:
                    answer = await http.head(f"{proxy.url}/hidden/x", headers=_filled(lie, at))
                    assert answer.status_code in {429, 400}, (proxy.title, lie)


async def test_no_spelling_of_a_request_gets_past_a_proxy_that_is_open(tmp_path: Path) -> None:
    """What a sidecar refuses to read is refused, not passed over, though no sidecar is open."""
    async with behind(tmp_path, *KINDS) as behind_them:
        raw = [b"GET %s HTTP/1.1\r\nHost: a\r\n" % it.encode() for it in PATHS]
        raw += [b"GET /hidden/x HTTP/1.0\r\n"]
        raw += [_long(kilobytes, in_path) for kilobytes in range(7, 18) for in_path in (0, 6)]
        raw += [b"GET /hidden/x HTTP/1.1\r\nHost: a\r\n%b\r\n" % it for it in FIELDS]
        raw += [b"GET /hidden/x HTTP/1.1\r\nHost: a\r\nX: %b\r\n" % (b"m" * it) for it in LENGTHS]
        for proxy in behind_them.proxies:
            got = await asyncio.gather(*(_ask(proxy.http.number, it) for it in raw))
            passed = [ask for ask, it in zip(raw, got, strict=True) if b"hello" in it]
            assert not passed, proxy.title
        assert _reached(behind_them) <= {"GET /ready"}


def _long(kilobytes: int, in_path: int) -> bytes:
    """Return a head of that size, of which so much stands in the path."""
    fields = (b"X-Many-%d: %s\r\n" % (at, b"m" * 1_010) for at in range(kilobytes - in_path))
    head = b"GET /hidden/x?%s HTTP/1.1\r\nHost: a\r\n%b"
    return head % (b"q" * (in_path << 10), b"".join(fields))


async def _ask(port: int, head: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(
            head + b"Connection: close\r\n\r\n" if b"Upgrade" not in head else head + b"\r\n"
        )
        async with asyncio.timeout(GENEROUS):
            return await reader.readline() + await reader.read(1 << 16)
    except ConnectionError:
        return b""
    finally:
        writer.transport.abort()


def _filled(lie: dict[str, str], at: int) -> dict[str, str]:
    return {name: value.format(at=at) for name, value in lie.items()}


def _reached(behind_them: BehindProxies) -> set[str]:
    asked: Iterable[str] = behind_them.app.asked
    return {it.partition(" HTTP")[0] for it in asked}
