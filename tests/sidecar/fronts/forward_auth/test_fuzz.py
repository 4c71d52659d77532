"""Nonsense from many connections: no fault of ours, nothing kept, and nobody else notices."""

import asyncio
import random

import pytest

from sidegate_sidecar.fronts.forward_auth.heads import MAX_HEAD_BYTES
from sidegate_sidecar.process import Process
from tests.sidecar.fronts.forward_auth.asking_proxies import (
    SECRET,
    by_nginx,
    forwarded,
    impatient,
    proxy,
    request,
    server_of,
)
from tests.support.in_process.cluster import eventually

PIECES = [
    *(
        b"GET ",
        b"/v1/auth/",
        b"/v1/auth/nginx",
        b" HTTP/1.1\r\n",
        b"\r\n",
        b"\r\n\r\n",
        b"\n",
        b"\0",
    ),
    *(b"Host: a\r\n", b"Host: \r\n", b"Content-Length: 9\r\n", b"Transfer-Encoding: chunked\r\n"),
    *(b"X-Original-URI: %\xff%2\r\n", b"X-Forwarded-For: ::1%eth0, [::], 1.2.3.4:5\r\n", b"\xff"),
    *(b"x" * 20_000, b"Connection: close\r\n", b"Expect: 100-continue\r\n", b"0\r\n\r\n"),
    *(request() * 50, request("/login"), request("/keyed", "X-Api-Key: a", "X-Api-Key: b")),
    *(request("//\\..//%2e%2e/%00/login"), request("/login", "X-Envoy-Expected-Rq-Timeout-Ms: 1")),
    *(request("/", "Host: [::1"), request("/", f"Sidegate-Secret: {SECRET.decode()}")),
    *(request(method="HEAD"), request(method="CONNECT"), request("*", method="OPTIONS")),
    *(by_nginx("http://[/login"), by_nginx("/\xff%ff"), by_nginx("/", "X-Original-Host: \xe9")),
    *(forwarded("caddy", "/login", "X-Forwarded-Host: a, b"), forwarded("traefik", "login")),
    *(
        request("/", client="unknown"),
        request("/", client="1" * 9_000),
        request("/" + "a/" * 3_000),
    ),
    request("/p", "Content-Length: 5", "Expect: 100-continue", method="POST"),
    request("/", "Connection: Upgrade", "Upgrade: websocket"),
]


@pytest.mark.parametrize("seed", range(4))
async def test_nonsense_does_no_harm(seed: int, caplog: pytest.LogCaptureFixture) -> None:
    """From a proxy that is named and from strangers, whole or in pieces, read or not."""
    chance = random.Random(seed)
    patience = {"handshake": 0.5, "request": 0.2, "unread": 0.2, "linger": 0.05, "idle": 10.0}
    async with impatient(patience=patience, secret=SECRET) as node, proxy(node) as witness:
        for _ in range(20):
            await asyncio.gather(*(_nonsense(node, chance) for _ in range(10)))
            witness.write(request())
            assert (await witness.until(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
            kept = [len(it._data) for it in server_of(node).open]
            assert max(kept) <= 2 * MAX_HEAD_BYTES
        await eventually(lambda: len(server_of(node).open) == 1)
        server = server_of(node)
        assert (len(server.proven), len(server.admission), len(server._waiting)) == (1, 0, 0)
        assert not server._batches
    assert "a fault in sidegate" not in caplog.text


async def _nonsense(node: Process, chance: random.Random) -> None:
    data = b"".join(chance.choices(PIECES, k=chance.randrange(1, 8)))
    cut = chance.randrange(len(data) + 1)
    async with proxy(node, data[:cut], at=chance.choice(["127.0.0.1", "127.0.0.9"])) as one:
        await asyncio.sleep(0)
        one.write(data[cut:])
        if chance.random() < 0.7:
            one.writer.write_eof()
            await one.rest()  # else it is cut off
