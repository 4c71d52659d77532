"""The accepting side: connections of apps and of other nodes, and what they may do."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from secrets import token_bytes
from ssl import SSLError
from typing import TYPE_CHECKING

from sidegate.link.connection import Connection
from sidegate.link.link import MAX_UNSENT
from sidegate.protocol.cache_messages import CACHE_MESSAGES
from sidegate.protocol.codec import Refused, WireError, decode, encode, refuse, tracing_decoder
from sidegate.protocol.handshake import NONCE_BYTES, Accepting
from sidegate.protocol.holds.lease_messages import Borrow, Returned
from sidegate.protocol.holds.reservation_messages import Commit, Reserve
from sidegate.protocol.holds.slot_messages import SLOT_MESSAGES
from sidegate.protocol.key_messages import ListKeys, ResetKeys
from sidegate.protocol.messages import (
    NODE_MESSAGES,
    Checks,
    Forget,
    Inspect,
    Message,
    Ping,
    Pong,
    Refund,
    Reset,
    Roster,
)
from sidegate.protocol.outcome_messages import OUTCOMES, Outcomes
from sidegate.protocol.report_messages import Events, ReportQuery
from sidegate.protocol.standing_messages import StandingQuery, WatchRules
from sidegate_ring.membership.members import MAX_LEAVES, MAX_LIVING
from sidegate_sidecar.cluster.standing import standing_of
from sidegate_sidecar.links.admission.admission import Admission
from sidegate_sidecar.links.answering import is_node
from sidegate_sidecar.links.caching.no_cache import NoCache
from sidegate_sidecar.links.holds.lease_answers import LeaseAnswers
from sidegate_sidecar.links.holds.reservation_answers import ReservationAnswers
from sidegate_sidecar.links.holds.slot_links import SlotLinks
from sidegate_sidecar.links.inspections import Inspections
from sidegate_sidecar.links.keys.all_keys import AllKeys
from sidegate_sidecar.links.keys.key_answers import KeyAnswers
from sidegate_sidecar.links.refusals import Refusals
from sidegate_sidecar.links.reporting.gathering import Gathering
from sidegate_sidecar.links.reporting.report_answers import ReportAnswers
from sidegate_sidecar.links.reporting.told_events import ToldEvents
from sidegate_sidecar.links.reporting.told_outcomes import ToldOutcomes
from sidegate_sidecar.links.rules_feed import RulesFeed

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidegate.protocol.codec import Bytes
    from sidegate.protocol.handshake import Identity
    from sidegate.protocol.messages import Hello
    from sidegate_sidecar.links.admission.admission import Arrival
    from sidegate_sidecar.links.caching.cache_links import CacheLinks
    from sidegate_sidecar.links.peers import Peers
    from sidegate_sidecar.links.reporting.gathering import Shown
    from sidegate_sidecar.node.node import Decide, Node

MAX_FILES = 1_024  # open at a time, what a system gives without being asked
LATE = 1.0  # seconds, of a look for connections that are overdue: this process stood still
MAX_NODES = MAX_LIVING + MAX_LEAVES  # connections: each other node dials one
MAX_SAID = 300  # characters in the log of what the other side says of us
_NODES_SAY = (*NODE_MESSAGES, *CACHE_MESSAGES, *SLOT_MESSAGES)


@dataclass(frozen=True, slots=True)
class Timeouts:
    """What a connection may take its time for, in seconds."""

    handshake: float = 5.0  # from when it is accepted, TLS included: an honest side takes 0.5
    frame: float = 5.0  # from its first byte to its last
    unread: float = 30.0  # with more than 1 MiB of answers waiting: an app that reads has less
    look_every: float = 1.0  # between two looks for connections that are overdue


class Sessions:
    """All accepted connections of a node; a handler of each.

    `most` of apps are open at most, and `MAX_NODES` of nodes. Those that haven't proved yet who
    they are have places of their own, in `admission`; they are as many as `max_files` allows.
    `shown` shows the keys of reports.
    """

    def __init__(
        self,
        node: Node,
        peers: Peers,
        me: Identity,
        most: int,
        max_files: int = MAX_FILES,
        shown: Shown = str,
    ) -> None:
        self._node = node
        self._decide: Decide = node.decide
        self._decode: Callable[[Bytes], Message] = decode
        self._peers = peers
        self._me = me
        self._most = most
        self._nodes = 0  # of those open
        self.admission = Admission(self._displaced, max_files)
        self._inspections = Inspections(node)
        self.keys = AllKeys(node, peers, shown)
        self._key_answers = KeyAnswers(self.keys)
        self.gathering = Gathering(node, peers, shown)
        self._told_outcomes = ToldOutcomes(node, peers)
        self.told_events = ToldEvents(node, peers)
        self._report_answers = ReportAnswers(self.gathering)
        self.rules = RulesFeed()
        self._stuck: dict[Connection, float] = {}  # since when they don't read
        self._is_leaving = False
        self._look_at = 0.0
        self.refusals = Refusals(node.counts.turned_away, asyncio.get_running_loop().time)
        self.patience = Timeouts()
        self.open: set[Connection] = set()
        self.cache: CacheLinks | NoCache = NoCache(peers)
        self.reservations = ReservationAnswers(node.reservations)
        self._leases = LeaseAnswers(node.leases)
        self.slots = SlotLinks(node.cluster, peers, node.clock, node.budget)

    def accept(
        self, arrival: Arrival, channel: bytes, *, is_unix: bool = False
    ) -> asyncio.Protocol:
        """Return the protocol for one more connection, which has begun to speak, by that channel.

        On a Unix socket, which the file system guards, apps needn't prove anything, and nodes are
        refused: one that is nobody's has no business there.
        """
        nonce = self._me.instance + token_bytes(NONCE_BYTES - len(self._me.instance))
        approve = self._approve_on_unix if is_unix else self._approve
        handshake = Accepting(self._me, nonce, approve=approve, trust_apps=is_unix)
        handshake.channel = channel
        return _Session(handshake, self, arrival, self._decode)

    def trace(self, decide: Decide) -> None:
        """Have checks decided so on connections that are still to come, with their traces."""
        self._decide, self._decode = decide, tracing_decoder()

    def _approve(self, hello: Hello) -> None:
        self._peers.approve(hello)
        self._require_room(hello)

    def _approve_on_unix(self, hello: Hello) -> None:
        if hello.role == "node":
            text = "nodes are refused on a Unix socket: dial this one's --link, over TCP"
            raise WireError("role", text)
        self._require_room(hello)

    def _require_room(self, hello: Hello) -> None:
        """Raise WireError when as many of its kind are open as may be."""
        if hello.role == "node":
            here, most, what = self._nodes, MAX_NODES, "connections of nodes"
        else:
            here, most, what = len(self.open) - self._nodes, self._most, "connections"
        if here >= most:
            raise WireError("busy", f"{most:,} {what} are open, no more fit")

    def _displaced(self, arrival: Arrival) -> None:
        """Count and tell of one that has to go for a newer one."""
        who = _who(arrival.session, arrival.remote)
        self.refusals.turned_away("displaced", who, "newer ones, which have proved nothing either")

    def on_connected(self, connection: Connection) -> None:
        """Count in a side that has proved who it is, tell it which nodes there are, and meet it."""
        assert isinstance(connection, _Session)  # made by `accept`
        assert connection.peer is not None  # the handshake is done
        self.admission.remove(connection.arrival)
        self._require_room(connection.peer)  # again: others may have been quicker
        self.open.add(connection)
        connection.send(self._roster())
        if is_node(connection):
            self._nodes += 1
            self._peers.dialled_by(connection)

    def on_message(self, connection: Connection, message: Message) -> None:
        """Handle a question."""
        match message:
            case Checks():
                by = _forwarder(connection, message) if message.serial else ""
                if by and self._peers.inbox.merge_queue:
                    self._peers.inbox.merge_queue.finish_of(by, message.checks)
                self._decide(message, connection.send, by)
            case Ping():
                connection.send(Pong(message.id))
            case Refund():
                self._node.refund(message)
            case Outcomes() if is_node(connection) == (message.hops > 0):
                self._note(message)
            case Events() if is_node(connection) == (message.hops > 0):
                self.told_events.take(message)
            case _ if isinstance(message, CACHE_MESSAGES) and not is_node(connection):
                self.cache.on_app(connection, message)
            case _ if isinstance(message, SLOT_MESSAGES) and not is_node(connection):
                self.slots.on_app(connection, message)
            case _ if isinstance(message, _NODES_SAY) and is_node(connection):
                peer = connection.peer
                assert peer is not None  # the handshake is done
                self._peers.inbox.on_message(peer.name, message, connection.remote_host)
            case _:
                self._on_inquiry(connection, message)

    def _on_inquiry(self, connection: Connection, message: Message) -> None:
        """Answer what people and scripts ask."""
        match message:
            case Inspect() | Reset():
                self._inspections.ask(connection, message)
            case ListKeys() | ResetKeys():
                self._key_answers.ask(connection, message)
            case Reserve() | Commit():
                self.reservations.ask(connection, message)
            case Borrow() | Returned():
                self._leases.ask(connection, message)
            case ReportQuery():
                self._report_answers.ask(connection, message)
            case WatchRules() if not is_node(connection):
                self.rules.watch(connection, message.digest)
            case StandingQuery() if is_node(connection):
                connection.send(standing_of(self._node.cluster, message.id))
            case _:
                refuse(message)

    def _note(self, message: Outcomes) -> None:
        """Count what an app has decided alone, all of it or, if it makes no sense, nothing."""
        for outcome, _ in message.counts:
            if outcome not in OUTCOMES:
                raise WireError("bad-message", f"outcome {outcome[:20]!r} is not one of {OUTCOMES}")
        if message.hops and message.counts:
            raise WireError("bad-message", "counts are those of an app, which nobody passes on")
        self._told_outcomes.take(message)
        for outcome, count in message.counts:
            self._node.counts.app_outcomes[outcome] += count

    def on_disconnected(self, connection: Connection, error: Exception | None) -> None:
        """Forget a connection."""
        assert isinstance(connection, _Session)  # made by `accept`
        self.admission.remove(connection.arrival)
        if connection in self.open:
            self.open.discard(connection)
            self._nodes -= is_node(connection)
        self._stuck.pop(connection, None)
        self.cache.app_left(connection)
        self.slots.app_left(connection)
        self.rules.left(connection)
        self._peers.hung_up(connection)
        self._tell_why(_who(connection, connection.arrival.remote), connection, error)

    def _tell_why(self, who: str, connection: Connection, error: Exception | None) -> None:
        """Count and log why a connection was lost, if that was anyone's fault."""
        if isinstance(error, Refused):  # its code is theirs, and isn't counted
            if connection.peer is not None:
                said = str(error)[:MAX_SAID]
                self.refusals.say("refused", f"{who} refuses this node: {said}")
        elif isinstance(error, WireError):
            self.refusals.turned_away(error.code, who, error.text)
        elif isinstance(error, (SSLError, ConnectionAbortedError)):  # the latter: took too long
            self.refusals.turned_away("tls", who, error.strerror or str(error))

    def tell_ring(self) -> None:
        """Send the ring to all apps: after a change, and now and then."""
        self._tell_apps(self._roster())

    @property
    def has_apps(self) -> bool:
        """Are there apps that might find another sidecar where they found this one?

        Not those on the Unix socket: its path is this sidecar's own.
        """
        return any(
            connection.is_up and connection.remote_host and not is_node(connection)
            for connection in self.open
        )

    def say_goodbye(self) -> None:
        """Tell all apps, also those that are still to come, to look for another sidecar."""
        self._is_leaving = True
        self._tell_apps(self._roster(), MAX_UNSENT)

    def stop_reading(self) -> None:
        """Read nothing more from apps; what they ask now, nobody charges."""
        shaking = [it.session for it in self.admission if it.session is not None]
        for connection in [*self.open, *shaking]:
            if not is_node(connection) and not connection.transport.is_closing():
                connection.transport.pause_reading()

    def forget(self, message: Forget) -> None:
        """Have all apps forget that a key was denied, but for those that read nothing."""
        self._tell_apps(message, MAX_UNSENT)

    def _tell_apps(self, message: Message, max_unsent: int = 0) -> None:
        """Send a message to each app with no more than that left to read."""
        frame = encode(message)
        for connection in self.open:
            unsent = connection.transport.get_write_buffer_size()
            if connection.is_up and unsent <= max_unsent and not is_node(connection):
                connection.write(frame)

    def _roster(self) -> Roster:
        cluster = self._node.cluster
        living = [(it.name, it.address) for it in cluster.membership.living()]
        members = [(cluster.name, self._me.link), *living]
        return Roster(cluster.ring.digest, members, int(self._is_leaving))

    def look(self) -> None:
        """Close connections that take too long over something, if it is time to look for them.

        A look that comes late judges nobody: what they sent meanwhile is still to be read.
        """
        now = asyncio.get_running_loop().time()
        if now < self._look_at:
            return
        self.refusals.say_rest()
        if now - self._look_at < LATE:
            self._end_handshakes(now)
            self._end_overdue(now)
        self._look_at = now + self.patience.look_every

    def _end_overdue(self, now: float) -> None:
        """Close the connections that take too long over something since they are up."""
        for connection in list(self.open):
            if connection.transport.is_closing():
                continue
            if overdue := self._overdue(connection, now):
                connection.fail(WireError("timeout", overdue))

    def _end_handshakes(self, now: float) -> None:
        """Close the connections that have taken too long to prove who they are."""
        within = self.patience.handshake
        error = WireError("timeout", f"no handshake within {within:g} s")
        for arrival in self.admission.overdue(now - within):
            session = arrival.session
            if session is None or session.is_unconnected:
                arrival.refuse(error.code, error.text)
                self.admission.remove(arrival)
                self.refusals.turned_away(error.code, _who(session, arrival.remote), error.text)
            elif not session.transport.is_closing():
                session.fail(error)

    def _overdue(self, connection: Connection, now: float) -> str:
        """Return what a connection takes too long for, or nothing."""
        patience = self.patience
        since = connection.unfinished_since
        if since is not None and now - since > patience.frame:
            return f"a frame unfinished for {patience.frame:g} s"
        if now - self._stuck_since(connection, now) > patience.unread:
            return f"answers unread for {patience.unread:g} s"
        if self.rules.unread_for(connection, now) > patience.unread:
            return f"rules unread for {patience.unread:g} s"
        return ""

    def _stuck_since(self, connection: Connection, now: float) -> float:
        """Return since when we found, at each look, that too many answers wait to be read."""
        if connection.transport.is_reading():  # see Connection.pause_writing
            self._stuck.pop(connection, None)
            return now
        return self._stuck.setdefault(connection, now)

    def close(self) -> None:
        """Close all connections."""
        self.rules.close()
        self.admission.close()
        for connection in list(self.open):
            connection.close()


def _who(connection: Connection | None, remote: str) -> str:
    """Return who is at the other side, as far as it has said so, and where."""
    peer = None if connection is None else connection.peer
    who = "someone" if peer is None else f"{peer.role} {peer.name!r}"
    return f"{who} at {remote}"


def _forwarder(connection: Connection, message: Checks) -> str:
    """Return the node that forwards these checks; WireError unless one does, and names each."""
    peer = connection.peer
    if peer is None or peer.role != "node":
        raise WireError("bad-message", "a serial is for checks that a node forwards")
    places = message.places
    if places is not None and len(places) != len(message.checks):
        raise WireError("bad-message", f"{len(message.checks)} checks with {len(places)} places")
    return peer.name


class _Session(Connection):
    """A connection that is in `admission` until it has proved who is at the other side."""

    def __init__(
        self,
        handshake: Accepting,
        sessions: Sessions,
        arrival: Arrival,
        decode: Callable[[Bytes], Message],
    ) -> None:
        super().__init__(handshake, sessions, decode)
        self.arrival = arrival  # knows where it comes from: the transport can't tell at its end
        arrival.session = self
