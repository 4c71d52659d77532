"""One connection to the RESP port: reads, asks and writes, a piece at a time, in its turn."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from ssl import SSLError
from typing import TYPE_CHECKING, cast

from sidegate_sidecar.fronts.resp.batch import Batch
from sidegate_sidecar.fronts.resp.clients import RespClient
from sidegate_sidecar.fronts.resp.reading import read
from sidegate_sidecar.fronts.resp.replies import error

if TYPE_CHECKING:
    from typing import Protocol

    from sidegate_sidecar.fronts.resp.clients import House
    from sidegate_sidecar.fronts.resp.throttling import Throttling
    from sidegate_sidecar.links.admission.admission import Arrival

    class RespFront(House, Protocol):
        """What a connection needs of the server that accepted it."""

        scratch: memoryview
        patience: RespTimeouts
        throttlings: dict[bytes, Throttling]

        def now(self) -> float:
            """Return the time, in seconds."""
            ...

        def came(self, connection: RespConnection, size: int) -> None:
            """Have `step` called for so many bytes, now or when it is the connection's turn."""
            ...

        def wait(self, connection: RespConnection) -> None:
            """Have `step` called when it is the connection's turn."""
            ...

        def ask(self, batch: Batch) -> None:
            """Have the checks of a batch decided, now or later."""
            ...

        def delete(self, connection: RespConnection, keys: list[bytes]) -> None:
            """Have keys reset, and `deleted` called with the reply."""
            ...

        def told(self, source: str, allowed: int, denied: int, errors: int) -> None:
            """Count what was decided."""
            ...

        def proved(self, connection: RespConnection) -> bool:
            """Count it among those who may ask; False if there is no room."""
            ...

        def refused(self, connection: RespConnection, reason: str) -> None:
            """Count what a connection was ended for."""
            ...

        def lost(self, connection: RespConnection) -> None:
            """Forget a connection."""
            ...


READ_AT_ONCE = 16 << 10  # bytes: some 200 checks, which take half a millisecond
MAX_UNREAD = 64 << 10  # bytes of replies that may wait before the next command is looked at
_FULL = error("max number of clients reached: this sidecar takes no more (--max-connections)")
_LATE = b"-ERR Protocol error: expected %s within %g s\r\n"
_AFTER = frozenset({b"DEL", b"INFO"})  # they are about what was decided before


@dataclass(frozen=True, slots=True)
class RespTimeouts:
    """What a connection may take its time for, in seconds."""

    handshake: float = 5.0  # from when it is accepted until it has shown the secret, TLS included
    command: float = 5.0  # from its first byte to its last
    unread: float = 30.0  # with more than MAX_UNREAD of replies waiting
    linger: float = 1.0  # to read on after the last reply: else the system may take that one back
    look_every: float = 0.5  # between two looks for connections that are overdue


class RespConnection(asyncio.BufferedProtocol):
    """A client's connection. Its commands are done one batch after the other, so in their order."""

    def __init__(self, arrival: Arrival, number: int, front: RespFront) -> None:
        self.arrival = arrival
        self.client = RespClient(front, number)
        self._front = front
        self._transport: asyncio.Transport | None = None
        self._data = b""  # what isn't a whole command yet
        self._has_news = False  # since it was looked at
        self._commands: deque[list[bytes]] = deque()
        self._fault = ""  # what is wrong with what comes after them
        self._waits = False  # for what it has asked
        self._is_paused = False
        self._has_ended = False  # the other side sends nothing more
        self._is_lost = False
        self._since: float | None = None  # when the command began that isn't whole
        self._unproven_since: float | None = None  # a client that has said RESET
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
        if self.client.is_proven and not self._front.proved(self):
            self._end(_FULL, "busy")

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002  # asyncio gives it
        """Return where to put what comes; it is copied at once, so all share one buffer."""
        return self._front.scratch

    def buffer_updated(self, nbytes: int) -> None:
        """Take what came, and read no more while there is enough to do."""
        if self._over_since is not None:
            return
        self._data += self._front.scratch[:nbytes]
        self._has_news = True
        if len(self._data) >= READ_AT_ONCE or self._commands:
            self._is_paused = True
            self.transport.pause_reading()
        self._front.came(self, len(self._data))

    def eof_received(self) -> bool:
        """Do what was asked, then end."""
        self._has_ended = True
        self._front.wait(self)
        return self.transport.get_extra_info("sslcontext") is None  # TLS ends both ways at once

    def pause_writing(self) -> None:
        """Look at no further command until the client has read."""
        self._unread_since = self._front.now()

    def resume_writing(self) -> None:
        """Go on."""
        self._unread_since = None
        self._front.wait(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it; called without a connection where TLS has failed."""
        self._is_lost = True
        self._commands.clear()
        if isinstance(exc, (SSLError, ConnectionAbortedError)):  # the latter: took too long
            self._front.refused(self, "tls")
        self._front.lost(self)

    # --- what the server tells

    def step(self) -> None:
        """Do a batch of what came, if nothing is under way and the client reads."""
        if self._is_lost or self._waits or self._unread_since is not None:
            return
        if self._has_news and not self._commands and not self._fault:
            self._read()
        if self._commands:
            self._do_batch()
        else:
            self._go_on()

    def _read(self) -> None:
        """Look at what came for commands."""
        self._has_news = False
        commands, self._data, self._fault = read(self._data)
        self._commands.extend(filter(None, commands))  # an empty line is none
        if not self._data:
            self._since = None
        elif commands or self._since is None:
            self._since = self._front.now()

    def _do_batch(self) -> None:
        batch = Batch(lambda: self._done(batch), self._told)
        self._waits = True
        while self._commands and not batch.is_full and not self.client.is_over:
            command = self._commands[0]
            name = command[0].upper()
            if name in _AFTER and batch.asked:
                break
            del self._commands[0]
            if name == b"DEL" and len(command) > 1 and self.client.is_proven:
                self._write(batch)
                self._front.delete(self, command[1:])
                return
            self._do(name, command, batch)
        if batch.asked:
            self._front.ask(batch)
        else:
            self._done(batch)

    def _do(self, name: bytes, command: list[bytes], batch: Batch) -> None:
        client = self.client
        throttling = self._front.throttlings.get(name)
        if throttling is not None and client.is_proven:
            try:
                batch.ask(throttling.asked(command))
            except ValueError as wrong:
                batch.add(error(str(wrong)))
            return
        was_proven = client.is_proven
        reply = client.reply(name, command)
        if client.is_proven and not was_proven:
            self._unproven_since = None
            if not self._front.proved(self):
                client.end("busy")
                reply = _FULL
        elif was_proven and not client.is_proven:
            self._unproven_since = self._front.now()
        batch.add(reply)

    def _told(self, source: str, allowed: int, denied: int, errors: int) -> None:
        self.client.source = source
        self._front.told(source, allowed, denied, errors)

    def _done(self, batch: Batch) -> None:
        self._write(batch)
        self._waits = False
        self._go_on()

    def deleted(self, reply: bytes) -> None:
        """Go on after keys were reset."""
        self._send(reply)
        self._waits = False
        self._go_on()

    def _write(self, batch: Batch) -> None:
        self._send(b"".join(batch.replies))

    def _send(self, data: bytes) -> None:
        if data and not self._is_lost and not self.transport.is_closing():
            self.transport.write(data)

    def _go_on(self) -> None:
        """Have the next batch done, or end, or read on."""
        if self._is_lost:
            return
        if self._over_since is not None:
            self._listen()
        elif self.client.is_over:
            self._end(b"", self.client.fault)
        elif self._commands or (self._has_news and not self._fault):
            self._front.wait(self)
        elif self._fault:
            self._end(error(f"Protocol error: {self._fault}"), "malformed")
        else:
            self._listen()

    def _listen(self) -> None:
        if self._has_ended:
            self.transport.close()
        elif self._is_paused and not self.transport.is_closing():
            self._is_paused = False
            self.transport.resume_reading()

    def _end(self, last: bytes, reason: str) -> None:
        """Send no more; read on for a moment what the other side had under way."""
        if reason:
            self._front.refused(self, reason)
        self._commands.clear()
        self._data = b""
        self._over_since = self._front.now()
        self._send(last)
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
        if _is_over(self._over_since, patience.linger, now):
            self.abort()
        elif _is_over(self._unread_since, patience.unread, now):
            self._front.refused(self, "timeout")
            self.abort()
        elif self._waits or self._commands or self._over_since is not None:
            return
        elif _is_over(self._since, patience.command, now):
            self._end(_LATE % (b"the whole command", patience.command), "timeout")
        elif _is_over(self._unproven_since, patience.handshake, now):
            self._end(_LATE % (b"AUTH", patience.handshake), "timeout")

    def depart(self) -> None:
        """Take nothing more that would be charged; end once what was asked is answered."""
        self._commands.clear()
        self._has_news, self._has_ended = False, True
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


def _is_over(since: float | None, seconds: float, now: float) -> bool:
    return since is not None and now - since > seconds
