"""PortConnection: what connections to ports of fronts do alike, from the first byte to the last."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from contextlib import suppress
from dataclasses import dataclass
from ssl import SSLError
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, cast

if TYPE_CHECKING:
    from sidegate_sidecar.links.admission.admission import Arrival

MAX_UNREAD = 64 << 10  # bytes that may wait to be read before more is looked at


@dataclass(frozen=True, slots=True)
class PortTimeouts:
    """What a connection may take its time for, in seconds."""

    handshake: float = 5.0  # from when it is accepted until it has shown the secret, TLS included
    unread: float = 30.0  # with more than MAX_UNREAD waiting
    linger: float = 1.0  # to read on after the last word: else the system may take that one back
    look_every: float = 0.5  # between two looks for connections that are overdue


class PortFront(Protocol):
    """What a connection needs of the server that accepted it."""

    scratch: memoryview

    @property
    def patience(self) -> PortTimeouts:
        """What it may take its time for."""
        ...

    def now(self) -> float:
        """Return the time, in seconds."""
        ...

    def wait(self, connection: Any) -> None:  # noqa: ANN401  # of that server's own kind
        """Have `step` called when it is the connection's turn."""
        ...

    def proved(self, connection: Any) -> bool:  # noqa: ANN401
        """Count it among those who may ask; False if there is no room."""
        ...

    def refused(self, connection: Any, reason: str) -> None:  # noqa: ANN401
        """Count what a connection was ended for."""
        ...

    def lost(self, connection: Any) -> None:  # noqa: ANN401
        """Forget a connection."""
        ...


Front = TypeVar("Front", bound=PortFront)


class PortConnection(asyncio.BufferedProtocol, ABC, Generic[Front]):
    """Reads into the buffer that all connections of a server share, and writes what is answered."""

    def __init__(self, arrival: Arrival, front: Front) -> None:
        self.arrival = arrival
        self._front = front
        self._transport: asyncio.Transport | None = None
        self._data = b""  # what came, and wasn't looked at
        self._waits = False  # for what it has asked
        self._is_paused = False
        self._has_ended = False  # the other side sends nothing more
        self._is_lost = False
        self._unread_since: float | None = None
        self._over_since: float | None = None

    @property
    def transport(self) -> asyncio.Transport:
        """What it is read from and written to."""
        assert self._transport is not None  # or nothing would have come
        return self._transport

    # --- what asyncio tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        # uvloop's are no subclass
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=MAX_UNREAD)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002  # asyncio gives it
        """Return where to put what comes; it is copied at once, so all share one buffer."""
        return self._front.scratch

    def eof_received(self) -> bool:
        """Do what was asked, then end."""
        self._has_ended = True
        self._front.wait(self)
        return self.transport.get_extra_info("sslcontext") is None  # TLS ends both ways at once

    def pause_writing(self) -> None:
        """Look at nothing further until the other side has read."""
        self._unread_since = self._front.now()

    def resume_writing(self) -> None:
        """Go on."""
        self._unread_since = None
        self._front.wait(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it; called without a connection where TLS has failed."""
        self._is_lost = True
        self._drop()
        if isinstance(exc, (SSLError, ConnectionAbortedError)):  # the latter: took too long
            self._front.refused(self, "tls")
        self._front.lost(self)

    @abstractmethod
    def step(self) -> None:
        """Do a piece of work, in its turn."""

    def _drop(self) -> None:
        """Let go of what came, and is not going to be done."""
        self._data = b""

    # --- reading and writing

    def _pause_reading(self) -> None:
        self._is_paused = True
        self.transport.pause_reading()

    def _listen(self) -> None:
        if self._has_ended:
            self.transport.close()
        elif self._is_paused and not self.transport.is_closing():
            self._is_paused = False
            self.transport.resume_reading()

    def _write(self, data: bytes) -> None:
        if data and not self._is_lost and not self.transport.is_closing():
            self.transport.write(data)

    # --- the end

    def _end(self) -> None:
        """Send no more; read on for a moment what the other side had under way."""
        self._drop()
        self._over_since = self._front.now()
        if not self.transport.can_write_eof():  # TLS
            self.transport.close()
        elif not self.transport.is_closing():
            with suppress(OSError):  # it is gone, which we are yet to hear
                self.transport.write_eof()
            self._listen()

    def expire(self, now: float) -> None:
        """End it if it has taken too long over something."""
        patience = self._front.patience
        if self._transport is None or self._is_lost:
            return
        if is_over(self._over_since, patience.linger, now):
            self.abort()
        elif is_over(self._unread_since, patience.unread, now):
            self._front.refused(self, "timeout")
            self.abort()
        elif not self._waits and self._over_since is None:  # else the time is ours
            self._expire_asking(now)

    @abstractmethod
    def _expire_asking(self, now: float) -> None:
        """End it if it has taken too long to ask."""

    def depart(self) -> None:
        """Take nothing more that would be charged; end once what was asked is answered."""
        self._drop()
        self._has_ended = True
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()
            if not self._waits:
                self._transport.close()

    def close(self) -> None:
        """End it once what was written is sent."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """End it at once."""
        self._is_lost = True
        if self._transport is not None:
            self._transport.abort()


def is_over(since: float | None, seconds: float, now: float) -> bool:
    """Tell whether so many seconds have passed since a time, which may not have come."""
    return since is not None and now - since > seconds
