"""uvicorn, served over memory: the front has the socket, and hands on whole requests."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from sidegate_sidecar.fronts.http.http11.reply import Reply

if TYPE_CHECKING:
    from fastapi import FastAPI

    from sidegate_sidecar.fronts.http.http11.head import HttpRequest

# What is between the client and the front, or is written anew.
_OF_THE_HOP = frozenset({"connection", "content-length", "expect", "keep-alive", "te", "trailer"})
_HOP = _OF_THE_HOP | {"transfer-encoding", "upgrade"}
_OWN = frozenset({"connection", "content-length", "content-type", "date", "transfer-encoding"})


class MemoryTransport(asyncio.Transport):
    """A transport that keeps what is written, until it is closed."""

    def __init__(self, peer: str) -> None:
        super().__init__({"peername": (peer, 0)})
        self.written = bytearray()
        self.closed = asyncio.get_running_loop().create_future()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Keep more."""
        self.written += data

    def is_closing(self) -> bool:
        """Tell if nothing more will be written."""
        return self.closed.done()

    def close(self) -> None:
        """Let whoever waits for the reply have it."""
        if not self.closed.done():
            self.closed.set_result(None)

    def pause_reading(self) -> None:
        """Do nothing: all of the request is there."""

    def resume_reading(self) -> None:
        """Do nothing: all of the request is there."""


class AppServer:
    """Runs an app on uvicorn, each request on a connection of its own."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app
        self._config = uvicorn.Config(
            app,
            http=H11Protocol,
            ws="none",
            log_config=None,
            access_log=False,
            lifespan="off",
        )
        self._config.load()
        self._state = ServerState()

    async def answer(self, request: HttpRequest) -> Reply:
        """Return what the app replies."""
        transport = MemoryTransport(request.head.peer)
        protocol = H11Protocol(self._config, self._state, {})
        protocol.connection_made(transport)
        client = h11.Connection(h11.CLIENT)
        protocol.data_received(_sent(client, request))
        try:
            await transport.closed
        finally:
            protocol.connection_lost(None)
        client.receive_data(bytes(transport.written))
        return _read(client)


def _sent(client: h11.Connection, request: HttpRequest) -> bytes:
    """Return a request as bytes, of which the app sees what the client wrote."""
    head = request.head
    fields = [(name, value) for name, value in head.fields.items() if name not in _HOP]
    fields += [("connection", "close"), ("content-length", str(len(request.body)))]
    if "host" not in head.fields:
        fields.append(("host", head.authority))
    latin = [(name.encode(), value.encode("latin-1")) for name, value in fields]
    method = "GET" if head.method == "HEAD" else head.method  # the front leaves the body out
    events = (
        h11.Request(method=method, target=head.target, headers=latin),
        h11.Data(data=request.body),
        h11.EndOfMessage(),
    )
    return b"".join(client.send(it) or b"" for it in events)


def _read(client: h11.Connection) -> Reply:
    response: h11.Response | None = None
    body = bytearray()
    while not isinstance(event := client.next_event(), h11.EndOfMessage):
        if isinstance(event, h11.Response):
            response = event
        elif isinstance(event, h11.Data):
            body += event.data
    assert response is not None  # or h11 would have raised
    fields = [(name.decode(), value.decode("latin-1")) for name, value in response.headers]
    kind = next((value for name, value in fields if name == "content-type"), "")
    rest = [field for field in fields if field[0] not in _OWN]
    return Reply(response.status_code, kind, bytes(body), rest)
