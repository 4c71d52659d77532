"""Strangers: what may come to the HTTP port, as plain sockets write it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import cast

from sidegate_sidecar.process import Process
from tests.support.in_process.cluster import GENEROUS

GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
ALIVE = b'{"status":"ok"}'


class Stranger:
    """One connection to the HTTP port of a sidecar."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def write(self, data: bytes) -> None:
        """Send bytes, whenever they can be sent."""
        if not self.writer.is_closing():
            self.writer.write(data)

    def stop_reading(self) -> None:
        """Leave what comes where it is."""
        cast("asyncio.Transport", self.writer.transport).pause_reading()

    async def until(self, end: bytes) -> bytes:
        """Read until these bytes have come."""
        async with asyncio.timeout(GENEROUS):
            return await self.reader.readuntil(end)

    async def rest(self) -> bytes:
        """Read until the other side closes; nothing if it cuts the connection off."""
        got = bytearray()
        async with asyncio.timeout(GENEROUS):
            with suppress(ConnectionError):
                while piece := await self.reader.read(1 << 16):
                    got += piece
        return bytes(got)


@asynccontextmanager
async def stranger(sidecar: Process, data: bytes = b"") -> AsyncGenerator[Stranger]:
    """Connect, and send something."""
    reader, writer = await asyncio.open_connection("127.0.0.1", sidecar.http.port)
    try:
        one = Stranger(reader, writer)
        one.write(data)
        yield one
    finally:
        writer.transport.abort()
