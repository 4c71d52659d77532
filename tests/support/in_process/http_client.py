"""Clients of the HTTP API of sidecars in this process."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import httpx2

from sidegate.buckets.limits import parse_limits
from sidegate.link.address import Address
from sidegate_sidecar.process import Process
from tests.support.in_process.cluster import GENEROUS, config, eventually
from tests.support.in_process.puppets import Puppet

PROBLEM = "application/problem+json"


@asynccontextmanager
async def http(sidecar: Process) -> AsyncGenerator[httpx2.AsyncClient]:
    """Return a client of one sidecar."""
    url = f"http://127.0.0.1:{sidecar.http.port}"
    async with httpx2.AsyncClient(base_url=url, trust_env=False, timeout=GENEROUS) as client:
        yield client


@asynccontextmanager
async def silent_seed(speak: asyncio.Event) -> AsyncGenerator[Address]:
    """Listen, and say nothing to who connects; hang up when told to speak."""

    async def hold(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await speak.wait()
        writer.close()

    async with await asyncio.start_server(hold, "127.0.0.1", 0) as server:
        yield Address("127.0.0.1", server.sockets[0].getsockname()[1])


@asynccontextmanager
async def no_sidecar() -> AsyncGenerator[Address]:
    """Run a web server that is none of ours: 404 whatever it is asked."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nhello")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield Address("127.0.0.1", server.sockets[0].getsockname()[1])


def path_of(key: str) -> str:
    """Return where the buckets of a key are; dots are escaped too, lest they be folders."""
    return "/v1/keys/" + quote(key, safe="").replace(".", "%2E")


async def check(
    client: httpx2.AsyncClient, key: str, limits: str = "5/hour", cost: int = 1
) -> dict[str, Any]:
    """Check, which must be answered."""
    answer = await client.post("/v1/check", json={"key": key, "limits": limits, "cost": cost})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def charged(sidecar: Process, key: str, limits: str, cost: int) -> None:
    """Put a key in debt on this node."""
    node = sidecar.node
    assert node.buckets.take(key, parse_limits(limits), cost, node.clock())[0]


def problem(answer: httpx2.Response, status: int) -> dict[str, Any]:
    """Return the problem that an answer must be."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == PROBLEM
    body = dict(answer.json())
    assert body.keys() == {"type", "title", "status", "detail", "errors"}
    assert body["status"] == status
    assert body["title"]
    return body


@asynccontextmanager
async def beside(other: Puppet, **options: Any) -> AsyncGenerator[Process]:
    """Run a node in a ring with the puppet."""
    async with Process(config("n1", seeds=(other.address,), **options)) as node:
        await eventually(lambda: node.ready and "puppet" in node.cluster.ring)
        yield node
