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
    """A fake of throttlecrab, which answers unless it is told not to."""

    def __init__(self) -> None:
        self.answers = True
        self.read = asyncio.Event()
        self.streams: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.streams.append(writer)
        while data := await reader.read(1 << 20):
            self.read.set()
            if self.answers:
                writer.write(ALLOWED * data.count(b"THROTTLE"))
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


class Wire(asyncio.Transport):
    """A fake of the wire: keeps how many checks each write had."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[int] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.writes.append(bytes(data).count(b"THROTTLE"))


async def test_checks_of_one_turn_leave_together() -> None:
    """But one that comes alone, or after one that did, leaves at once."""
    client, wire = Lines(CHECKS), Wire()
    client.connection_made(wire)
    for written in ([1], [1, 49], [50]):
        wire.writes.clear()
        asked = [client.ask(f"key-{at}") for at in range(sum(written))]
        await asyncio.sleep(0)  # the turn ends
        assert wire.writes == written
        client.data_received(ALLOWED * len(asked))
        assert all([await one for one in asked])


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
