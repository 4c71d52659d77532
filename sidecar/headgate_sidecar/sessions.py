"""The accepting side: connections of apps and of other nodes, and what they may do."""

from __future__ import annotations

import asyncio
from secrets import token_bytes
from typing import TYPE_CHECKING

from headgate.connection import Connection
from headgate.errors import HeadgateError
from headgate.handshake import NONCE_BYTES, Accepting
from headgate.link import refuse
from headgate.wire import (
    Checks,
    Error,
    Holdings,
    Inspect,
    Message,
    Ping,
    Pong,
    Reset,
    Roster,
    WireError,
    encode,
)

if TYPE_CHECKING:
    from headgate.handshake import Identity
    from headgate_sidecar.node import Node

HANDSHAKE_WITHIN = 5.0  # seconds: an honest side takes milliseconds
FRAME_WITHIN = 5.0  # seconds from the first to the last byte of a frame
SWEEP_EVERY = 1.0  # seconds between two looks for connections that are overdue
MOST_INSPECTIONS = 1_000  # at a time: they are for people and scripts


class Sessions:
    """All accepted connections of a node; a handler of each."""

    def __init__(self, node: Node, me: Identity, most: int) -> None:
        self._node = node
        self._me = me
        self._most = most
        self._inspections: set[asyncio.Task[None]] = set()
        self.open: set[Connection] = set()

    def accept(self, *, trust_apps: bool = False) -> asyncio.Protocol:
        """Return the protocol for one more connection: a session, or a word of refusal."""
        if len(self.open) >= self._most:
            self._node.counts.turned_away["busy"] += 1
            return _TurnedAway(self._most)
        nonce = self._me.instance + token_bytes(NONCE_BYTES - len(self._me.instance))
        approve = self._node.peers.approve
        handshake = Accepting(self._me, nonce, approve=approve, trust_apps=trust_apps)
        connection = Connection(handshake, self)
        self.open.add(connection)
        return connection

    def up(self, connection: Connection) -> None:
        """Tell the new side which nodes there are, and meet it if it is one."""
        connection.send(self._roster())
        peer = connection.peer
        if peer is not None and peer.role == "node":
            self._node.peers.dialled_by(peer, connection.remote_host)

    def message(self, connection: Connection, message: Message) -> None:
        """Handle a question."""
        match message:
            case Checks():
                self._node.decide(message, connection.send)
            case Ping():
                connection.send(Pong(message.id))
            case Inspect() | Reset():
                self._inspect(connection, message)
            case _:
                refuse(message)

    def lost(self, connection: Connection, error: Exception | None) -> None:
        """Forget a connection."""
        self.open.discard(connection)
        if isinstance(error, WireError):
            self._node.counts.turned_away[error.code] += 1

    def tell_ring(self) -> None:
        """Send the ring to all sides: after a change, and now and then."""
        roster = self._roster()
        for connection in self.open:
            if connection.is_up:
                connection.send(roster)

    def _roster(self) -> Roster:
        peers = self._node.peers
        return Roster(peers.ring.digest, peers.members())

    def _inspect(self, connection: Connection, message: Inspect | Reset) -> None:
        if len(self._inspections) >= MOST_INSPECTIONS:
            raise WireError("busy", f"more than {MOST_INSPECTIONS} inspections at a time")
        task = asyncio.get_running_loop().create_task(self._answer(connection, message))
        self._inspections.add(task)
        task.add_done_callback(self._inspections.discard)

    async def _answer(self, connection: Connection, message: Inspect | Reset) -> None:
        reset = isinstance(message, Reset)
        try:
            held = await self._node.inspect(message.key, reset=reset, hops=message.hops)
        except HeadgateError as error:
            connection.fail(WireError("bad-key", str(error)))
            return
        if held is None:  # the owner is out of reach: no buckets, and the source says so
            held = Holdings(0, self._node.fallback.source, "", [])
        if not connection.transport.is_closing():
            connection.send(Holdings(message.id, held.source, held.node, held.buckets))

    async def sweep(self) -> None:
        """Close connections that take too long over a handshake or a frame, for ever."""
        while True:
            await asyncio.sleep(SWEEP_EVERY)
            now = asyncio.get_running_loop().time()
            for connection in list(self.open):
                if overdue := _overdue(connection, now):
                    connection.fail(WireError("timeout", overdue))

    def close(self) -> None:
        """Close all connections."""
        for connection in list(self.open):
            connection.close()


def _overdue(connection: Connection, now: float) -> str:
    """Return what a connection takes too long for, or nothing."""
    if not connection.is_up and now - connection.opened_at > HANDSHAKE_WITHIN:
        return f"no handshake within {HANDSHAKE_WITHIN:g} s"
    since = connection.unfinished_since
    if since is not None and now - since > FRAME_WITHIN:
        return f"a frame unfinished for {FRAME_WITHIN:g} s"
    return ""


class _TurnedAway(asyncio.Protocol):
    """Says that there are too many connections, and closes."""

    def __init__(self, most: int) -> None:
        self._most = most

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        transport.write(encode(Error("busy", f"{self._most:,} connections are open, no more fit")))
        transport.close()
