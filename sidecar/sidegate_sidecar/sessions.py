"""The accepting side: connections of apps and of other nodes, and what they may do."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from secrets import token_bytes
from ssl import SSLError
from typing import TYPE_CHECKING

from sidegate.connection import Connection
from sidegate.errors import SidegateError
from sidegate.handshake import NONCE_BYTES, Accepting
from sidegate.link import MOST_UNSENT
from sidegate.wire import (
    NOBODY,
    NODE_MESSAGES,
    OUTCOMES,
    Checks,
    Error,
    Forget,
    Holdings,
    Inspect,
    Message,
    Outcomes,
    Ping,
    Pong,
    Refused,
    Reset,
    Roster,
    WireError,
    encode,
    refuse,
)
from sidegate_sidecar.log_limiter import LogLimiter

if TYPE_CHECKING:
    from sidegate.handshake import Identity
    from sidegate_sidecar.node import Node
    from sidegate_sidecar.peers import Peers

log = logging.getLogger("sidegate")

MOST_INSPECTIONS = 1_000  # at a time: they are for people and scripts
MOST_SAID = 300  # characters in the log of what the other side says of us


@dataclass(frozen=True, slots=True)
class Patience:
    """What a connection may take its time for, in seconds."""

    handshake: float = 5.0  # an honest side takes milliseconds
    frame: float = 5.0  # from its first byte to its last
    unread: float = 30.0  # with more than 1 MiB of answers waiting: an app that reads has less
    look_every: float = 1.0  # between two looks for connections that are overdue


class Sessions:
    """All accepted connections of a node, at most `most`; a handler of each."""

    def __init__(self, node: Node, peers: Peers, me: Identity, most: int) -> None:
        self._node = node
        self._peers = peers
        self._me = me
        self._most = most
        self._inspections: set[asyncio.Task[None]] = set()
        self._stuck: dict[Connection, float] = {}  # since when they don't read
        self._is_leaving = False
        self.refusals = LogLimiter()
        self.patience = Patience()
        self.open: set[Connection] = set()

    def accept(self, remote: str, channel: bytes, *, trust_apps: bool = False) -> asyncio.Protocol:
        """Return the protocol for one more connection, from there and by that channel."""
        nonce = self._me.instance + token_bytes(NONCE_BYTES - len(self._me.instance))
        approve = self._peers.approve
        handshake = Accepting(self._me, nonce, approve=approve, trust_apps=trust_apps)
        handshake.channel = channel
        return _Session(handshake, self, remote)

    def opened(self, connection: _Session) -> None:
        """Count a connection in, or say a word of refusal when there are too many."""
        if len(self.open) < self._most:
            self.open.add(connection)
            return
        self._node.counts.turned_away["busy"] += 1
        text = f"{self._most:,} connections are open, no more fit"
        connection.transport.write(encode(Error("busy", text)))
        connection.transport.close()
        self._say(f"refused {_who(connection)}: {text} (busy)")

    def up(self, connection: Connection) -> None:
        """Tell the new side which nodes there are, and meet it if it is one."""
        connection.send(self._roster())
        if _is_node(connection):
            self._peers.dialled_by(connection)

    def message(self, connection: Connection, message: Message) -> None:
        """Handle a question."""
        match message:
            case Checks():
                self._node.decide(message, connection.send)
            case Ping():
                connection.send(Pong(message.id))
            case Inspect() | Reset():
                self._inspect(connection, message)
            case Outcomes() if not _is_node(connection):
                self._note(message)
            case _ if isinstance(message, NODE_MESSAGES) and _is_node(connection):
                peer = connection.peer
                assert peer is not None  # the handshake is done
                self._peers.listener.heard(peer.name, message, connection.remote_host)
            case _:
                refuse(message)

    def _note(self, message: Outcomes) -> None:
        """Count what an app has decided alone, all of it or, if it makes no sense, nothing."""
        for outcome, _ in message.counts:
            if outcome not in OUTCOMES:
                raise WireError("bad-message", f"outcome {outcome[:20]!r} is not one of {OUTCOMES}")
        for outcome, count in message.counts:
            self._node.counts.app_outcomes[outcome] += count

    def lost(self, connection: Connection, error: Exception | None) -> None:
        """Forget a connection."""
        self.open.discard(connection)
        self._stuck.pop(connection, None)
        self._peers.hung_up(connection)
        if isinstance(error, Refused):  # its code is theirs, and isn't counted
            if connection.peer is not None:
                self._say(f"{_who(connection)} refuses this node: {str(error)[:MOST_SAID]}")
        elif isinstance(error, WireError):
            self._node.counts.turned_away[error.code] += 1
            if error.code != "self":  # our own seed is usual
                self._say(f"refused {_who(connection)}: {error}")
        elif isinstance(error, (SSLError, ConnectionAbortedError)):  # the latter: took too long
            self._node.counts.turned_away["tls"] += 1
            self._say(f"refused {_who(connection)}: {error.strerror or error} (tls)")

    def _say(self, line: str) -> None:
        """Log whom we refuse and why; strangers decide how often, so not each time."""
        if said := self.refusals.line(line, asyncio.get_running_loop().time()):
            log.warning("%s", said)

    def tell_ring(self) -> None:
        """Send the ring to all apps: after a change, and now and then."""
        self._tell_apps(self._roster())

    @property
    def has_apps(self) -> bool:
        """Are there apps that might find another sidecar where they found this one?

        Not those on the Unix socket: its path is this sidecar's own.
        """
        return any(
            connection.is_up and connection.remote_host and not _is_node(connection)
            for connection in self.open
        )

    def say_goodbye(self) -> None:
        """Tell all apps, also those that are still to come, to look for another sidecar."""
        self._is_leaving = True
        self._tell_apps(self._roster(), MOST_UNSENT)

    def stop_reading(self) -> None:
        """Read nothing more from apps; what they ask now, nobody charges."""
        for connection in self.open:
            if not _is_node(connection) and not connection.transport.is_closing():
                connection.transport.pause_reading()

    def forget(self, message: Forget) -> None:
        """Have all apps forget that a key was denied, but for those that read nothing."""
        self._tell_apps(message, MOST_UNSENT)

    def _tell_apps(self, message: Message, most_unsent: int = 0) -> None:
        """Send a message to each app with no more than that left to read."""
        frame = encode(message)
        for connection in self.open:
            unsent = connection.transport.get_write_buffer_size()
            if connection.is_up and unsent <= most_unsent and not _is_node(connection):
                connection.write(frame)

    def _roster(self) -> Roster:
        cluster = self._node.cluster
        living = [(it.name, it.address) for it in cluster.membership.living()]
        members = [(cluster.name, self._me.link), *living]
        return Roster(cluster.ring.digest, members, int(self._is_leaving))

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
        except SidegateError as error:
            connection.fail(WireError("bad-key", str(error)))
            return
        if held is None:  # the owner is out of reach: no buckets, and the source says so
            source = NOBODY if message.hops else self._node.fallback.source
            held = Holdings(0, source, "", [])
        if not connection.transport.is_closing():
            connection.send(Holdings(message.id, held.source, held.node, held.buckets))

    async def sweep(self) -> None:
        """Close connections that take too long over something, for ever."""
        while True:
            await asyncio.sleep(self.patience.look_every)
            now = asyncio.get_running_loop().time()
            if others := self.refusals.rest(now):
                log.warning("refused %s", others)
            for connection in list(self.open):
                if connection.transport.is_closing():
                    continue
                if overdue := self._overdue(connection, now):
                    connection.fail(WireError("timeout", overdue))

    def _overdue(self, connection: Connection, now: float) -> str:
        """Return what a connection takes too long for, or nothing."""
        patience = self.patience
        if not connection.is_up and now - connection.opened_at > patience.handshake:
            return f"no handshake within {patience.handshake:g} s"
        since = connection.unfinished_since
        if since is not None and now - since > patience.frame:
            return f"a frame unfinished for {patience.frame:g} s"
        if now - self._stuck_since(connection, now) > patience.unread:
            return f"answers unread for {patience.unread:g} s"
        return ""

    def _stuck_since(self, connection: Connection, now: float) -> float:
        """Return since when we found, at each look, that too many answers wait to be read."""
        if connection.transport.is_reading():  # see Connection.pause_writing
            self._stuck.pop(connection, None)
            return now
        return self._stuck.setdefault(connection, now)

    def close(self) -> None:
        """Close all connections."""
        for connection in list(self.open):
            connection.close()


def _who(connection: Connection) -> str:
    """Return who is at the other side, as far as it has said so, and where."""
    peer = connection.peer
    who = "someone" if peer is None else f"{peer.role} {peer.name!r}"
    return f"{who} at {connection.remote}" if isinstance(connection, _Session) else who


def _is_node(connection: Connection) -> bool:
    return connection.peer is not None and connection.peer.role == "node"


class _Session(Connection):
    """A connection that counts from when it is there: after the handshake of TLS, if it has one."""

    def __init__(self, handshake: Accepting, sessions: Sessions, remote: str) -> None:
        super().__init__(handshake, sessions)
        self._sessions = sessions
        self.remote = remote  # who is at the other side: the transport can't tell at its end

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._sessions.opened(self)
