"""One connection to the RESP port: reads, asks and writes, a piece at a time, in its turn."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sidegate_sidecar.fronts.port_connection import PortConnection, PortTimeouts, is_over
from sidegate_sidecar.fronts.resp.batch import Batch
from sidegate_sidecar.fronts.resp.clients import RespClient
from sidegate_sidecar.fronts.resp.reading import read
from sidegate_sidecar.fronts.resp.replies import error

if TYPE_CHECKING:
    import asyncio
    from typing import Protocol

    from sidegate_sidecar.fronts.port_connection import PortFront
    from sidegate_sidecar.fronts.resp.clients import House
    from sidegate_sidecar.fronts.resp.throttling import Throttling
    from sidegate_sidecar.links.admission.admission import Arrival

    class RespFront(House, PortFront, Protocol):
        """What a connection needs of the server that accepted it."""

        throttlings: dict[bytes, Throttling]

        @property
        def patience(self) -> RespTimeouts:
            """What it may take its time for."""
            ...

        def came(self, connection: RespConnection, size: int) -> None:
            """Have `step` called for so many bytes, now or when it is the connection's turn."""
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


READ_AT_ONCE = 16 << 10  # bytes: some 200 checks, which take half a millisecond
_FULL = error("max number of clients reached: this sidecar takes no more (--max-connections)")
_LATE = b"-ERR Protocol error: expected %s within %g s\r\n"
_AFTER = frozenset({b"DEL", b"INFO"})  # they are about what was decided before


@dataclass(frozen=True, slots=True)
class RespTimeouts(PortTimeouts):
    """And what one of a client of Redis may."""

    command: float = 5.0  # from its first byte to its last


class RespConnection(PortConnection["RespFront"]):
    """A client's connection. Its commands are done one batch after the other, so in their order."""

    def __init__(self, arrival: Arrival, number: int, front: RespFront) -> None:
        super().__init__(arrival, front)
        self.client = RespClient(front, number)
        self._has_news = False  # since it was looked at
        self._commands: deque[list[bytes]] = deque()
        self._fault = ""  # what is wrong with what comes after them
        self._since: float | None = None  # when the command began that isn't whole
        self._unproven_since: float | None = None  # a client that has said RESET

    # --- what asyncio tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        super().connection_made(transport)
        if self.client.is_proven and not self._front.proved(self):
            self._end_with(_FULL, "busy")

    def buffer_updated(self, nbytes: int) -> None:
        """Take what came, and read no more while there is enough to do."""
        if self._over_since is not None:
            return
        self._data += self._front.scratch[:nbytes]
        self._has_news = True
        if len(self._data) >= READ_AT_ONCE or self._commands:
            self._pause_reading()
        self._front.came(self, len(self._data))

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
                self._write_replies(batch)
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
        self._write_replies(batch)
        self._waits = False
        self._go_on()

    def deleted(self, reply: bytes) -> None:
        """Go on after keys were reset."""
        self._write(reply)
        self._waits = False
        self._go_on()

    def _write_replies(self, batch: Batch) -> None:
        self._write(b"".join(batch.replies))

    def _go_on(self) -> None:
        """Have the next batch done, or end, or read on."""
        if self._is_lost:
            return
        if self._over_since is not None:
            self._listen()
        elif self.client.is_over:
            self._end_with(b"", self.client.fault)
        elif self._commands or (self._has_news and not self._fault):
            self._front.wait(self)
        elif self._fault:
            self._end_with(error(f"Protocol error: {self._fault}"), "malformed")
        else:
            self._listen()

    def _end_with(self, last: bytes, reason: str) -> None:
        """Say a last word, and send no more."""
        if reason:
            self._front.refused(self, reason)
        self._write(last)
        self._end()

    def _drop(self) -> None:
        super()._drop()
        self._commands.clear()
        self._has_news = False

    def _expire_asking(self, now: float) -> None:
        patience = self._front.patience
        if self._commands:
            return
        if is_over(self._since, patience.command, now):
            self._end_with(_LATE % (b"the whole command", patience.command), "timeout")
        elif is_over(self._unproven_since, patience.handshake, now):
            self._end_with(_LATE % (b"AUTH", patience.handshake), "timeout")
