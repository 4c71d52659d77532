"""The HTTP server beside the link: uvicorn in the same loop, started and stopped by us."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if TYPE_CHECKING:
    import socket
    from collections.abc import Generator

    from fastapi import FastAPI

MOST_CONNECTIONS = 512  # for probes, scrapes and people; what is left of the files is for links
FIRST_BYTE_WITHIN = 5.0  # seconds; uvicorn itself waits for ever


class _Connection(HttpToolsProtocol):
    """A connection of which there is a bounded number, and which may not stay silent."""

    # uvicorn too takes a Transport where asyncio declares a BaseTransport
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            transport.abort()
        self.timeout_keep_alive_task = self.loop.call_later(
            FIRST_BYTE_WITHIN, self.timeout_keep_alive_handler
        )


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers, for the sidecar has its own; says when it is up."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up_or_over = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up_or_over.set()


class HttpServer:
    """Serves an app on a socket that already listens."""

    def __init__(self, app: FastAPI, listening: socket.socket) -> None:
        config = uvicorn.Config(
            app,
            http=_Connection,
            ws="none",
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            lifespan="off",
            timeout_graceful_shutdown=2,
        )
        self._server = _Server(config)
        self._socket = listening
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Serve; return once requests are taken."""
        server = self._server
        self._task = asyncio.get_running_loop().create_task(server.serve(sockets=[self._socket]))
        self._task.add_done_callback(lambda _: server.up_or_over.set())
        await server.up_or_over.wait()
        if self._task.done():
            self._task.result()  # raises what went wrong

    async def stop(self) -> None:
        """Let requests in progress finish, and stop."""
        self._server.should_exit = True
        if self._task is not None:
            await self._task
        self._socket.close()
