"""Proxies as plain sockets write what they ask, and sidecars that answer them."""

import asyncio
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from sidegate_sidecar.fronts.forward_auth import server as server_module
from sidegate_sidecar.fronts.forward_auth.connection import AuthTimeouts
from sidegate_sidecar.fronts.forward_auth.server import AuthServer
from sidegate_sidecar.process import Process
from tests.sidecar.fronts.http.strangers import Stranger
from tests.support.in_process.cluster import LOOPBACK, cluster

SECRET: Final = b"a good secret for tests"
RULES: Final = """
version: 1
exempt: [/free]
rules:
- {name: login, match: {path: /login}, limits: 2/hour}
- {name: tried, match: {path: /tried}, limits: 1/hour, mode: shadow}
- {name: keyed, match: {path: /keyed}, limits: 2/hour, key: "header:x-api-key"}
- {name: host, match: {host: shop.example}, limits: 3/hour, key: host}
- {name: posts, match: {methods: [POST], path: /p*}, limits: 1/hour}
"""


@asynccontextmanager
async def answering(rules: str = RULES, **options: Any) -> AsyncGenerator[Process]:
    """Run a sidecar with a port for proxies."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rules.yaml"
        file.write_text(rules)
        async with cluster("n1", auth=LOOPBACK, rules=str(file), **options) as (node,):
            yield node


@asynccontextmanager
async def impatient(*, patience: dict[str, float], **options: Any) -> AsyncGenerator[Process]:
    """Run one whose connections end soon where they take their time."""
    fast = replace(AuthTimeouts(), **{"look_every": 0.01, **patience})
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(server_module, "AuthTimeouts", lambda: fast)
        async with answering(**options) as node:
            yield node


def server_of(node: Process) -> AuthServer:
    """Return what answers proxies."""
    assert node.auth_server is not None
    return node.auth_server


def request(target: str = "/free", *lines: str, method: str = "GET", client: str = "") -> bytes:
    """Return what Envoy asks about a target; `client` is the address of who asked it."""
    fields = ["Host: a.example", f"X-Forwarded-For: {client or '192.0.2.1'}", *lines]
    first = f"{method} /v1/auth/envoy{target} HTTP/1.1"
    return "\r\n".join([first, *fields, "", ""]).encode("latin-1")


def by_nginx(target: str, *lines: str, method: str = "GET", client: str = "192.0.2.1") -> bytes:
    """Return what nginx asks."""
    fields = [f"X-Original-Method: {method}", f"X-Original-URI: {target}", *lines]
    head = ["GET /v1/auth/nginx HTTP/1.1", "Host: sidegate", f"X-Forwarded-For: {client}", *fields]
    return "\r\n".join([*head, "", ""]).encode("latin-1")


def forwarded(proxy: str, target: str, *lines: str, method: str = "GET") -> bytes:
    """Return what Caddy or Traefik asks."""
    fields = [f"X-Forwarded-Method: {method}", f"X-Forwarded-Uri: {target}", *lines]
    first = f"GET /v1/auth/{proxy} HTTP/1.1"
    head = [first, "Host: sidegate", "X-Forwarded-For: 192.0.2.1", *fields]
    return "\r\n".join([*head, "", ""]).encode("latin-1")


@asynccontextmanager
async def proxy(
    node: Process, data: bytes = b"", at: str = "127.0.0.1"
) -> AsyncGenerator[Stranger]:
    """Connect from an address, and send something."""
    assert node.auth is not None
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", node.auth.port, local_addr=(at, 0), limit=1 << 20
    )
    try:
        one = Stranger(reader, writer)
        one.write(data)
        yield one
    finally:
        writer.transport.abort()


async def exchange(node: Process, *sent: bytes, at: str = "127.0.0.1", ends: bool = True) -> bytes:
    """Send bytes, and no more; return all that comes back."""
    async with proxy(node, at=at) as one:
        for piece in sent:
            one.write(piece)
        if ends:
            one.writer.write_eof()
        return await one.rest()


async def statuses(node: Process, *sent: bytes, at: str = "127.0.0.1") -> list[int]:
    """Return the statuses of what is answered."""
    got = await exchange(node, *sent, at=at)
    return [int(it[:3]) for it in got.split(b"HTTP/1.1 ")[1:]]
