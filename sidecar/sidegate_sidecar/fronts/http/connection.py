"""One connection to the HTTP port: reads and writes, a piece at a time, when it is its turn."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from math import inf
from socket import MSG_PEEK
from typing import TYPE_CHECKING, cast

from sidegate_sidecar.fronts.http.http11.exchange import HttpExchange, Phase
from sidegate_sidecar.fronts.http.http11.head import HttpRequest
from sidegate_sidecar.fronts.http.http11.reply import Reply, problem

if TYPE_CHECKING:
    import socket
    from typing import Protocol

    from sidegate_sidecar.fronts.http.http11.head import Head

    class Front(Protocol):
        """What a connection needs of the front that accepted it."""

        scratch: bytearray
        patience: HttpTimeouts

        def now(self) -> float:
            """Return the time, in seconds."""
            ...

        def date(self) -> str:
            """Return the time, as HTTP writes it."""
            ...

        def refusal(self, head: Head) -> Reply | None:
            """Tell why a request may not go on, None for one that may."""
            ...

        def wait(self, connection: HttpConnection) -> None:
            """Have `step` called when it is the connection's turn."""
            ...

        def answer(self, connection: HttpConnection, request: HttpRequest) -> None:
            """Have `reply` called with the reply to a request, now or later."""
            ...

        def refused(self, connection: HttpConnection, reason: str, status: int = 0) -> None:
            """Count what a connection was refused for."""
            ...

        def lost(self, connection: HttpConnection) -> None:
            """Forget a connection."""
            ...


MAX_UNREAD = 16 << 10  # bytes of replies that may wait before the next request is looked at


@dataclass(frozen=True, slots=True)
class HttpTimeouts:
    """What a connection may take its time for, in seconds."""

    head: float = 5.0  # from its first byte to its last; an honest client takes milliseconds
    body: float = 5.0  # likewise
    idle: float = 5.0  # without a request; a client that wants to go on connects anew
    unread: float = 5.0  # with a reply that it asked for
    linger: float = 1.0  # to read on after the last reply: else the system may take that one back
    look_every: float = 0.5  # between two looks for connections that are overdue

    def of(self, phase: Phase) -> float:
        """Return for how long a connection may be in a phase."""
        match phase:
            case Phase.IDLE:
                return self.idle
            case Phase.HEAD:
                return self.head
            case Phase.BODY:
                return self.body
            case Phase.OVER:
                return self.linger
            case Phase.REPLY | Phase.STREAM:  # that time is ours
                return inf


class HttpConnection(asyncio.BufferedProtocol):
    """A socket that was accepted, then a protocol. What it does it does in `step`."""

    def __init__(self, accepted: socket.socket, peer: str, place: str, front: Front) -> None:
        self.peer = peer
        self.place = place
        self.is_trusted = False  # its work needn't wait for the turns of strangers
        self._exchange: HttpExchange | None = None  # until there is something to read
        self._front = front
        self._socket: socket.socket | None = accepted  # until there is a transport
        self._transport: asyncio.Transport | None = None
        self._opening: asyncio.Task[object] | None = None
        self._since = front.now()  # when its phase began
        self._unread_since: float | None = None  # since when the client doesn't read
        self._has_ended = False  # the other side sends nothing more
        self._is_lost = False

    @property
    def exchange(self) -> HttpExchange:
        """What is read off it, and written."""
        if self._exchange is None:
            self._exchange = HttpExchange(self.peer, self._front.refusal)
        return self._exchange

    @property
    def unwritten(self) -> int:
        """How many bytes of replies the other side hasn't read."""
        return self._transport.get_write_buffer_size() if self._transport is not None else 0

    # --- what asyncio tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        # uvloop's are no subclass
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=MAX_UNREAD)
        self._socket = None
        if self._is_lost:
            self._transport.abort()

    def get_buffer(self, sizehint: int) -> bytearray:  # noqa: ARG002  # asyncio gives it
        """Return where to put what comes; it is copied at once, so all share one buffer."""
        return self._front.scratch

    def buffer_updated(self, nbytes: int) -> None:
        """Take what came, and read no more until it was looked at."""
        assert self._transport is not None  # or nothing would come
        self._transport.pause_reading()
        phase = self.exchange.phase
        self.exchange.receive(bytes(self._front.scratch[:nbytes]))
        if self.exchange.phase is not phase:
            self._since = self._front.now()
        self._front.wait(self)

    def eof_received(self) -> bool:
        """Finish writing the reply that is under way, if one is."""
        self._has_ended = True
        self._front.wait(self)
        return True

    def pause_writing(self) -> None:
        """Look at no further request until the client has read."""
        self._unread_since = self._front.now()

    def resume_writing(self) -> None:
        """Go on."""
        self._unread_since = None
        self._front.wait(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # whatever it was
        """Forget it."""
        self._is_lost = True
        self._front.lost(self)

    # --- what the front tells

    def step(self) -> None:
        """Do a piece of work: begin to read, or look at what came, or write a reply."""
        if self._is_lost or self._unread_since is not None or self._opening_now():
            return
        if self.exchange.phase in {Phase.STREAM, Phase.OVER}:
            self._listen()
            return
        phase = self.exchange.phase
        found = self.exchange.next()
        if self.exchange.phase is not phase:
            self._since = self._front.now()
        if isinstance(found, Reply):
            self.reply(found)
        elif isinstance(found, HttpRequest):
            self._front.answer(self, found)
        elif self.exchange.phase is not Phase.REPLY:
            self._read_on()

    def _opening_now(self) -> bool:
        """Have a transport made, if there is none."""
        if self._transport is not None:
            return False
        if self._opening is None and self._socket is not None:
            if _is_gone(self._socket):
                self.abort()
                return True
            loop = asyncio.get_running_loop()
            opening = loop.connect_accepted_socket(lambda: self, self._socket)
            self._opening = loop.create_task(opening)
            self._opening.add_done_callback(self._opened)
        return True

    def _opened(self, opening: asyncio.Task[object]) -> None:
        if opening.cancelled() or opening.exception():  # it was gone before we came to it
            self.abort()
            self._front.lost(self)

    def _read_on(self) -> None:
        if interim := self.exchange.interim():
            self._write(interim)
        if self.exchange.has_more:
            self._front.wait(self)
        else:
            self._listen()

    def _listen(self) -> None:
        assert self._transport is not None  # what came, came through it
        if self._has_ended:
            self._transport.close()
        elif not self._transport.is_closing():
            self._transport.resume_reading()

    def reply(self, reply: Reply) -> None:
        """Write a reply, and go on with the next request, or end."""
        if self._is_lost:
            return
        if reply.reason:
            self._front.refused(self, reply.reason, reply.status)
        self._write(self.exchange.write(reply, self._front.date()))
        self._since = self._front.now()
        if self.exchange.phase is Phase.OVER:
            self._end()
        elif self.exchange.has_more or self._has_ended:
            self._front.wait(self)
        else:
            self._listen()

    def stream(self, reply: Reply) -> None:
        """Write the head of a reply whose body comes by `send`, until one side ends it."""
        if self._is_lost:
            return
        self._write(self.exchange.write_start(reply, self._front.date()))
        if self.exchange.phase is Phase.OVER:
            self._end()
        else:
            self._listen()

    @property
    def streams(self) -> bool:
        """May it be sent more of its reply?"""
        return not self._is_lost and self.exchange.phase is Phase.STREAM

    def send(self, piece: bytes) -> None:
        """Write a piece of a stream; left out while the client doesn't read, so none pile up."""
        if self.streams and self._unread_since is None:
            self._write(piece)

    def _write(self, data: bytes) -> None:
        assert self._transport is not None  # a request came through it
        if not self._transport.is_closing():
            self._transport.write(data)

    def _end(self) -> None:
        """Send no more; read on for a moment what the other side had under way."""
        assert self._transport is not None  # a reply was written
        if not self._transport.is_closing():
            self._transport.write_eof()
        self._listen()

    def expire(self, now: float) -> None:
        """End it if it has taken too long over something."""
        patience = self._front.patience
        if self._unread_since is not None and now - self._unread_since > patience.unread:
            self._front.refused(self, "timeout")
            self.abort()
            return
        phase = self._exchange.phase if self._exchange is not None else Phase.IDLE
        if self._is_lost or now - self._since <= patience.of(phase):
            return
        if phase in {Phase.HEAD, Phase.BODY} and self._transport is not None:
            waited = f"expected all of the request within {patience.of(phase):g} s"
            self.reply(problem(408, waited, reason="timeout"))
        else:
            self.abort()

    def close(self) -> None:
        """End it once what was written is sent."""
        if self._transport is None:
            self.abort()
        else:
            self._transport.close()

    def abort(self) -> None:
        """End it at once."""
        self._is_lost = True
        if self._transport is not None:
            self._transport.abort()
        elif self._opening is None and self._socket is not None:
            self._socket.close()
            self._front.lost(self)


def _is_gone(accepted: socket.socket) -> bool:
    """Has the other side closed it already? Told for a tenth of what a transport costs."""
    try:
        return not accepted.recv(1, MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:
        return True
