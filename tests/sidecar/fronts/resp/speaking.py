"""Clients of Redis as plain sockets write it, and sidecars that hear them."""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from sidegate_sidecar.fronts.resp import server as server_module
from sidegate_sidecar.fronts.resp.connection import RespTimeouts
from sidegate_sidecar.fronts.resp.server import RespServer
from sidegate_sidecar.process import Process
from tests.sidecar.fronts.http.strangers import Stranger
from tests.support.in_process.cluster import LOOPBACK, cluster

SECRET = b"a good secret for tests"
PING = b"PING\r\n"
PONG = b"+PONG\r\n"


def command(*words: str | bytes | int) -> bytes:
    """Return a command as clients write it."""
    parts = [it if isinstance(it, bytes) else str(it).encode() for it in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(it), it) for it in parts)


def five(*integers: int) -> bytes:
    """Return the reply of five integers."""
    return b"*5\r\n" + b"".join(b":%d\r\n" % it for it in integers)


@asynccontextmanager
async def hearing(**options: Any) -> AsyncGenerator[Process]:
    """Run a sidecar with a RESP port."""
    async with cluster("n1", resp=LOOPBACK, **options) as (node,):
        yield node


@asynccontextmanager
async def impatient(*, secret: bytes = b"", **patience: float) -> AsyncGenerator[Process]:
    """Run one whose connections end soon where they take their time."""
    fast = replace(RespTimeouts(), **{"look_every": 0.01, **patience})
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(server_module, "RespTimeouts", lambda: fast)
        async with hearing(secret=secret) as node:
            yield node


def server_of(node: Process) -> RespServer:
    """Return what serves clients of Redis."""
    assert node.resp_server is not None
    return node.resp_server


def port_of(node: Process) -> int:
    """Return the port."""
    assert node.resp is not None
    return node.resp.port


@asynccontextmanager
async def speaker(node: Process, data: bytes = b"") -> AsyncGenerator[Stranger]:
    """Connect, and send something."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(node), limit=1 << 20)
    try:
        one = Stranger(reader, writer)
        one.write(data)
        yield one
    finally:
        writer.transport.abort()


async def exchange(node: Process, *sent: bytes, ends: bool = True) -> bytes:
    """Send bytes, and no more; return all that comes back."""
    async with speaker(node) as one:
        for piece in sent:
            one.write(piece)
        if ends:
            one.writer.write_eof()
        return await one.rest()


def joined(commands: Iterable[Iterable[bytes]]) -> bytes:
    """Return commands as one piece."""
    return b"".join(command(*it) for it in commands)
