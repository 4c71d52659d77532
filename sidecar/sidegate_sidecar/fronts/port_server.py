"""PortServer: what ports of fronts do alike: accept, give turns, and end whoever takes too long.

In a turn of the loop their connections take a millisecond and one piece of work more at most, so
that neither links nor other clients wait for one that asks as fast as it can.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections import OrderedDict
from time import monotonic
from typing import TYPE_CHECKING, Generic, TypeVar

from sidegate_sidecar.links.admission.admission import Admission
from sidegate_sidecar.links.listener import Listener
from sidegate_sidecar.links.sessions import LATE
from sidegate_sidecar.open_files import max_open_files

if TYPE_CHECKING:
    import socket
    from typing import Any, Protocol

    from sidegate_sidecar.config import Config
    from sidegate_sidecar.fronts.port_connection import PortConnection, PortTimeouts
    from sidegate_sidecar.links.admission.admission import Arrival

    class PortCounts(Protocol):
        """What counts, and logs, whom a port has ended."""

        def refuse(self, reason: str, remote: str) -> None:
            """Count somebody who was ended."""
            ...

        def tell_rest(self) -> None:
            """Log how many were not told, once there is room for that line."""
            ...


Connection = TypeVar("Connection", bound="PortConnection[Any]")

log = logging.getLogger("sidegate")

TURN = 1e-3  # seconds of a turn of the loop


class PortServer(ABC, Generic[Connection]):
    """A port that listens already. Connections that have proved nothing are in its `admission`.

    `patience` says how long they may take. They read into one buffer, of `read_at_once` bytes.
    """

    def __init__(
        self,
        listening: socket.socket,
        config: Config,
        counts: PortCounts,
        patience: PortTimeouts,
        read_at_once: int,
    ) -> None:
        self.scratch = memoryview(bytearray(read_at_once))  # asyncio's TLS writes into slices
        self.open: set[Connection] = set()
        self.proven: set[Connection] = set()
        self.admission = Admission(self._displaced, max_open_files())
        self._listener = Listener(listening, self.admission, self._accept, config.tls)
        self._config = config
        self._ended = counts
        self._handshake = patience.handshake
        self._look_every = patience.look_every
        self._waiting: OrderedDict[Connection, None] = OrderedDict()  # the next comes first
        self._next_turn: asyncio.Handle | None = None
        self._next_look: asyncio.Handle | None = None
        self._look_due = 0.0

    async def start(self) -> None:
        """Serve from now on."""
        self._look()
        await self._listener.start()

    async def depart(self) -> None:
        """Take nothing more that would be charged: what is held is on its way to other nodes."""
        await self._listener.close()
        for connection in list(self.open):
            connection.depart()

    async def stop(self) -> None:
        """Take no more connections, and close all."""
        await self._listener.close()
        self.admission.close()
        for connection in list(self.open):
            connection.close()
        for handle in (self._next_turn, self._next_look):
            if handle is not None:
                handle.cancel()

    @abstractmethod
    def _accept(self, arrival: Arrival, channel: bytes) -> asyncio.BaseProtocol:
        """Return the protocol for one more connection; `channel` is for the link's handshake."""

    def _displaced(self, arrival: Arrival) -> None:
        self._ended.refuse("busy", arrival.remote)

    # --- what a connection needs

    def now(self) -> float:
        """Return the time, in seconds."""
        return monotonic()

    def wait(self, connection: Connection) -> None:
        """Have a connection do a piece of work when it is its turn."""
        self._waiting[connection] = None
        if self._next_turn is None:
            self._next_turn = asyncio.get_running_loop().call_soon(self._turn)

    def proved(self, connection: Connection) -> bool:
        """Count it among those who may ask; False if there is no room."""
        self.admission.remove(connection.arrival)
        if connection not in self.proven and len(self.proven) >= self._config.max_connections:
            return False
        self.proven.add(connection)
        return True

    def refused(self, connection: Connection, reason: str) -> None:
        """Count what a connection was ended for."""
        self._ended.refuse(reason, connection.arrival.remote)

    def lost(self, connection: Connection) -> None:
        """Forget a connection."""
        self.admission.remove(connection.arrival)
        self.open.discard(connection)
        self.proven.discard(connection)
        self._waiting.pop(connection, None)

    # ---

    def _turn(self) -> None:
        """Do what those who wait have asked, as long as a turn may take."""
        self._next_turn = None
        until = monotonic() + TURN
        for _ in range(len(self._waiting)):
            if not self._waiting or monotonic() > until:  # a step may end others
                break
            connection, _ = self._waiting.popitem(last=False)
            self._step(connection)
        self._end_turn()
        if self._waiting and self._next_turn is None:
            self._next_turn = asyncio.get_running_loop().call_soon(self._turn)

    def _end_turn(self) -> None:
        """Called at the end of each turn, for what its steps have left to be done together."""

    def _step(self, connection: Connection) -> None:
        try:
            connection.step()
        except Exception:  # that one ends; the others go on
            log.exception("a fault in sidegate; please report it")
            connection.abort()

    def _look(self) -> None:
        """End connections that are overdue, now and from now on.

        A look that comes late ends none: what they sent meanwhile is still to be read.
        """
        now = monotonic()
        self._ended.tell_rest()
        if now - self._look_due < LATE:
            self._end_unproven()
            for connection in list(self.open):
                connection.expire(now)
        self._look_due = now + self._look_every
        self._next_look = asyncio.get_running_loop().call_later(self._look_every, self._look)

    def _end_unproven(self) -> None:
        """Close those that have taken too long to prove themselves, or to say their first word."""
        before = asyncio.get_running_loop().time() - self._handshake
        for arrival in self.admission.overdue(before):
            self._ended.refuse("timeout", arrival.remote)
            self.admission.remove(arrival)
            arrival.stop()
