"""An app behind a proxy: says hello to whatever it is asked, and notes it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

_HELLO: Final = b"HTTP/1.1 %s\r\nContent-Length: 5\r\n\r\nhello"


@dataclass
class HelloApp:
    """Where it listens, the first lines of what it was asked, and what it answers."""

    port: int = 0
    asked: list[str] = field(default_factory=list[str])
    status: bytes = b"200 OK"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection."""
        while first := await reader.readline():
            length = 0
            while line := (await reader.readline()).strip():
                name, _, value = line.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            await reader.readexactly(length)
            self.asked.append(first.decode().strip())
            writer.write(_HELLO % self.status)
        writer.close()


@asynccontextmanager
async def hello_app() -> AsyncGenerator[HelloApp]:
    """Run one on a free port of loopback."""
    app = HelloApp()
    async with await asyncio.start_server(app.serve, "127.0.0.1", 0) as server:
        app.port = server.sockets[0].getsockname()[1]
        yield app
