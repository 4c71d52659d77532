"""The RESP server: accepts, has each connection do its work in turn, and has checks decided.

In a turn of the loop it takes a millisecond and one batch more at most, so that neither links nor
the other clients of Redis wait for one that asks as fast as it can.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from hmac import compare_digest
from itertools import count
from time import monotonic
from typing import TYPE_CHECKING

from sidegate.errors import SidegateError
from sidegate_sidecar.fronts.resp.connection import READ_AT_ONCE, RespConnection, RespTimeouts
from sidegate_sidecar.fronts.resp.refusals import RespCounts
from sidegate_sidecar.fronts.resp.replies import error, integer
from sidegate_sidecar.fronts.resp.resp_metrics import RespCollector
from sidegate_sidecar.fronts.resp.throttling import throttlings
from sidegate_sidecar.links.admission.admission import Admission
from sidegate_sidecar.links.listener import Listener
from sidegate_sidecar.links.sessions import LATE
from sidegate_sidecar.open_files import max_open_files

if TYPE_CHECKING:
    import socket

    from sidegate_sidecar.fronts.resp.batch import Batch
    from sidegate_sidecar.links.admission.admission import Arrival
    from sidegate_sidecar.sidecar import Sidecar

log = logging.getLogger("sidegate")

TURN = 1e-3  # seconds of a turn of the loop
SMALL = 512  # bytes: a few checks, which need no turn
MAX_SMALL = 32  # of these between two turns: half a millisecond


class RespServer:
    """Serves a sidecar's checks to clients of Redis, on a socket that already listens."""

    def __init__(self, sidecar: Sidecar, listening: socket.socket) -> None:
        self.scratch = memoryview(bytearray(READ_AT_ONCE))  # asyncio's TLS writes into slices
        self.patience = RespTimeouts()
        self.throttlings = throttlings()
        self.counts = RespCounts(monotonic)
        self.proven: set[RespConnection] = set()
        self.open: set[RespConnection] = set()
        self.collector = RespCollector(self.open, self.counts)
        self.admission = Admission(self._displaced, max_open_files())
        self._listener = Listener(listening, self.admission, self._accept, sidecar.config.tls)
        self._sidecar = sidecar
        self._config = sidecar.config
        self._numbers = count(1)
        self._waiting: OrderedDict[RespConnection, None] = OrderedDict()  # the next comes first
        self._next_turn: asyncio.Handle | None = None
        self._next_look: asyncio.Handle | None = None
        self._look_due = 0.0
        self._small = 0  # done since the last turn
        self._deleting: set[asyncio.Task[None]] = set()
        self._gate = asyncio.Lock()  # one look into all tables in a turn

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
        for task in self._deleting:
            task.cancel()

    def _accept(self, arrival: Arrival, channel: bytes) -> RespConnection:  # noqa: ARG002
        """Return the protocol for one more connection; `channel` is for the link's handshake."""
        connection = RespConnection(arrival, next(self._numbers), self)
        self.open.add(connection)
        return connection

    def _displaced(self, arrival: Arrival) -> None:
        self.counts.refuse("busy", arrival.remote)

    # --- what a connection needs

    def now(self) -> float:
        """Return the time, in seconds."""
        return monotonic()

    def needs_secret(self) -> bool:
        """Is there a secret that everyone has to show?"""
        return bool(self._config.http_tokens())

    def knows(self, secret: bytes) -> bool:
        """Is it one of ours?"""
        right = [compare_digest(secret, it) for it in self._config.http_tokens()]
        return any(right)  # after all of them: time tells nothing

    def facts(self) -> dict[str, str | int]:
        """Return what INFO says."""
        decided = {
            f"checks_{source}_{outcome}": number
            for (source, outcome), number in sorted(self.counts.checks.items())
        }
        node = self._sidecar
        return {
            "node": node.config.name,
            "ready": int(node.ready),
            "ring_nodes": len(node.cluster.ring),
            "connections": len(self.open),
            **decided,
        }

    def came(self, connection: RespConnection, size: int) -> None:
        """Have a connection look at what came: at once if that is little, and nobody waits.

        So one check at a time is answered 5 µs earlier, of 75 with what redis-py takes.
        """
        if size <= SMALL and self._small < MAX_SMALL and not self._waiting:
            self._small += 1
            self._step(connection)
        else:
            self.wait(connection)

    def wait(self, connection: RespConnection) -> None:
        """Have a connection do a batch when it is its turn."""
        self._waiting[connection] = None
        if self._next_turn is None:
            self._next_turn = asyncio.get_running_loop().call_soon(self._turn)

    def ask(self, batch: Batch) -> None:
        """Have the checks of a batch decided, now or within the budget."""
        node = self._sidecar.node
        node.decide(batch.frame(node.budget), batch.take)

    def delete(self, connection: RespConnection, keys: list[bytes]) -> None:
        """Have the owners of keys reset them."""
        task = asyncio.get_running_loop().create_task(self._delete(connection, keys))
        self._deleting.add(task)
        task.add_done_callback(self._deleting.discard)

    def told(self, source: str, allowed: int, denied: int, errors: int) -> None:
        """Count what was decided."""
        self.counts.told(source, allowed, denied, errors)

    def proved(self, connection: RespConnection) -> bool:
        """Count it among those who may ask; False if there is no room."""
        self.admission.remove(connection.arrival)
        if connection not in self.proven and len(self.proven) >= self._config.max_connections:
            return False
        self.proven.add(connection)
        return True

    def refused(self, connection: RespConnection, reason: str) -> None:
        """Count what a connection was ended for."""
        self.counts.refuse(reason, connection.arrival.remote)

    def lost(self, connection: RespConnection) -> None:
        """Forget a connection."""
        self.admission.remove(connection.arrival)
        self.open.discard(connection)
        self.proven.discard(connection)
        self._waiting.pop(connection, None)

    # ---

    def _turn(self) -> None:
        """Do what those who wait have asked, as long as a turn may take."""
        self._next_turn, self._small = None, 0
        until = monotonic() + TURN
        for _ in range(len(self._waiting)):
            if not self._waiting or monotonic() > until:  # a step may end others
                break
            connection, _ = self._waiting.popitem(last=False)
            self._step(connection)
        if self._waiting and self._next_turn is None:
            self._next_turn = asyncio.get_running_loop().call_soon(self._turn)

    def _step(self, connection: RespConnection) -> None:
        try:
            connection.step()
        except Exception:  # that one ends; the others go on
            log.exception("a fault in sidegate; please report it")
            connection.abort()

    async def _delete(self, connection: RespConnection, keys: list[bytes]) -> None:
        try:
            reply = integer([await self._reset(key) for key in keys].count(True))
        except (SidegateError, ValueError) as wrong:
            reply = error(str(wrong))
        connection.deleted(reply)

    async def _reset(self, said: bytes) -> bool:
        """Reset one key; tell whether it had buckets. An error if nobody who holds it answers."""
        try:
            key = said.decode()
        except UnicodeDecodeError:
            raise ValueError(f"key {said[:80]!r}: expected UTF-8") from None
        async with self._gate:
            await asyncio.sleep(0)
        held = await self._sidecar.node.inspect(key, reset=True)
        if held is None:
            raise ValueError(f"key {key[:80]!r}: neither its owner nor its backup can be reached")
        return bool(held.buckets)

    def _look(self) -> None:
        """End connections that are overdue, now and from now on.

        A look that comes late ends none: what they sent meanwhile is still to be read.
        """
        now = monotonic()
        self.counts.tell_rest()
        if now - self._look_due < LATE:
            self._end_unproven()
            for connection in list(self.open):
                connection.expire(now)
        self._look_due = now + self.patience.look_every
        loop = asyncio.get_running_loop()
        self._next_look = loop.call_later(self.patience.look_every, self._look)

    def _end_unproven(self) -> None:
        """Close those that have taken too long to show the secret, or to say their first word."""
        before = asyncio.get_running_loop().time() - self.patience.handshake
        for arrival in self.admission.overdue(before):
            self.counts.refuse("timeout", arrival.remote)
            self.admission.remove(arrival)
            arrival.stop()
