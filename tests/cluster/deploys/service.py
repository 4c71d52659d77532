"""A service: one address, and behind it whichever sidecar is chosen when an app connects."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from itertools import count
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from tests.support.processes.fleet import Node


class Service:
    """Passes each connection on to one of `nodes` in turn, as a Service of Kubernetes does.

    Connections that are there stay with their node, whatever becomes of `nodes`.
    """

    def __init__(self, *nodes: Node) -> None:
        self.nodes = list(nodes)
        self.address = ""
        self.passed: dict[str, int] = {}
        self._late: list[Node] = []
        self._turns = count()
        self._ends: set[asyncio.Transport] = set()

    def drop(self, node: Node, *, late: int = 0) -> None:
        """Choose a node no more, or only for so many connections that come next."""
        self.nodes.remove(node)
        self._late += [node] * late

    def choose(self) -> Node:
        """Choose the node for a connection."""
        chosen = self._late.pop() if self._late else self.nodes[next(self._turns) % len(self.nodes)]
        self.passed[chosen.name] = self.passed.get(chosen.name, 0) + 1
        return chosen

    def opened(self, end: asyncio.Transport) -> None:
        """Keep one end of a connection."""
        self._ends.add(end)

    def closed(self, end: asyncio.Transport) -> None:
        """Forget one end of a connection."""
        self._ends.discard(end)

    def close(self) -> None:
        """Break all connections."""
        for end in list(self._ends):
            end.abort()


class _End(asyncio.Protocol):
    """One end of a connection: passes bytes on to the other, and closes with it."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._early: list[bytes] = []
        self._is_over = False
        self._me: asyncio.Transport | None = None
        self._other: _End | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._me = cast("asyncio.Transport", transport)
        self._service.opened(self._me)

    def join(self, other: _End) -> None:
        """Pass on to the other end what comes here."""
        self._other = other
        for data in self._early:
            other.send(data)
        if self._is_over:
            other.end()

    def data_received(self, data: bytes) -> None:
        if self._other is None:
            self._early.append(data)  # a hello
        else:
            self._other.send(data)

    def send(self, data: bytes) -> None:
        """Send to the side at this end."""
        assert self._me is not None
        if not self._me.is_closing():
            self._me.write(data)

    def end(self) -> None:
        """Close this end, once what was sent has left."""
        assert self._me is not None
        self._me.close()

    def connection_lost(self, exc: Exception | None) -> None:
        assert exc is None or isinstance(exc, OSError)
        assert self._me is not None
        self._service.closed(self._me)
        self._is_over = True
        if self._other is not None:
            self._other.end()


class _Entrance(_End):
    """The end at which an app connects."""

    _joining: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._joining = asyncio.get_running_loop().create_task(self._pass_on())

    async def _pass_on(self) -> None:
        link = self._service.choose().link.number
        loop = asyncio.get_running_loop()
        try:
            exit_ = (await loop.create_connection(lambda: _End(self._service), "127.0.0.1", link))[
                1
            ]
        except OSError:
            self.end()
            return
        exit_.join(self)
        self.join(exit_)


@asynccontextmanager
async def service(*nodes: Node) -> AsyncGenerator[Service]:
    """Run a service for these nodes."""
    running = Service(*nodes)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Entrance(running), "127.0.0.1", 0)
    running.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield running
    finally:
        server.close()
        running.close()
