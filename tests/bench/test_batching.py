"""Clients by hand send the checks of a turn together, and fail when nobody answers."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from bench.peers.asking.batching import Lines, lines
from bench.peers.asking.messages import PeerError, Rate, ThrottlecrabCheck

CHECKS = ThrottlecrabCheck(Rate(10, 60))
ALLOWED = b"*5\r\n:1\r\n:10\r\n:9\r\n:60\r\n:0\r\n"


class Server:
    """A fake of the wire: notes what it reads at once, and answers unless it is told not to."""

    def __init__(self) -> None:
        self.reads: list[int] = []
        self.answers = True
        self.read = asyncio.Event()
        self.streams: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.streams.append(writer)
        while data := await reader.read(1 << 20):
            self.reads.append(data.count(b"THROTTLE"))
            self.read.set()
            if self.answers:
                writer.write(ALLOWED * self.reads[-1])
        writer.close()


@asynccontextmanager
async def connected() -> AsyncGenerator[tuple[Server, Lines]]:
    server = Server()
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    port: int = listener.sockets[0].getsockname()[1]
    async with listener:
        async with lines(CHECKS, "127.0.0.1", port) as client:
            yield server, client
        for stream in server.streams:
            await stream.wait_closed()


async def test_checks_of_one_turn_leave_together() -> None:
    """But a first one that comes alone, which leaves at once."""
    async with connected() as (server, client):
        assert await client.ask("first")
        for _ in range(2):
            assert all(await asyncio.gather(*(client.ask(f"key-{at}") for at in range(50))))
        assert server.reads[0] == 1
        assert sum(server.reads) == 101
        assert len(server.reads) <= 5  # a write may be read in two parts


async def test_what_waits_fails_when_the_connection_breaks() -> None:
    async with connected() as (server, client):
        server.answers = False
        waiting = client.ask("key")
        await server.read.wait()
        server.streams[0].close()
        with pytest.raises(PeerError, match="connection is gone"):
            await waiting
        with pytest.raises(PeerError, match="connection is gone"):
            await client.ask("another")


async def test_who_asked_and_went_is_no_trouble() -> None:
    async with connected() as (server, client):
        server.answers = False
        client.ask("key").cancel()
        await server.read.wait()
        server.streams[0].write(ALLOWED)
        server.answers = True
        assert await client.ask("another")
