"""An empty server: sends back what it reads. `python -m bench.contenders.echo_server SOCKET`."""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import cast

import uvloop


class Echo(asyncio.Protocol):
    """One connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self._write = cast("asyncio.Transport", transport).write

    def data_received(self, data: bytes) -> None:
        """Send it back."""
        self._write(data)


async def serve(path: str) -> None:
    """Echo on a unix socket until SIGTERM."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    async with await loop.create_unix_server(Echo, path):
        await ended.wait()


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1]))
