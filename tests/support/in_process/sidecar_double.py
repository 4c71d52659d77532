"""A real sidecar of one node in a thread, with real sockets, that misbehaves when it is told to."""

import asyncio
import ssl
import threading
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from secrets import token_bytes
from typing import Self, TypeVar

from sidegate.buckets.buckets import BucketTable
from sidegate.buckets.limits import parse_limits
from sidegate.errors import SidegateError
from sidegate.link.address import parse_address
from sidegate.link.connection import Connection
from sidegate.protocol.codec import refuse
from sidegate.protocol.handshake import NONCE_BYTES, PLAIN, UNIX, Accepting, Identity, tls_channel
from sidegate.protocol.holds.lease_messages import MAX_LEASE, Borrow, Lent, Returned, ReturnedRow
from sidegate.protocol.levels import LEVEL
from sidegate.protocol.messages import (
    NOBODY,
    Answer,
    Answers,
    Check,
    Checks,
    Holdings,
    Inspect,
    Message,
    Ping,
    Pong,
    Refund,
    Reset,
    Roster,
    require_key,
)
from sidegate.protocol.outcome_messages import Outcomes
from sidegate.protocol.report_messages import Events
from sidegate.trust.secrets import known
from sidegate.trust.tls import Tls
from tests.support.waiting import PATIENCE

T = TypeVar("T")


class SidecarDouble:
    """Decides checks as the owner of all keys. `with` starts it, at `address`.

    What it saw: `frames` of checks, `accepted` connections (those open: `connections`).
    """

    def __init__(
        self, address: str, *, secret: bytes = b"", tls: Tls | None = None, level: int = LEVEL
    ) -> None:
        self.address = address
        self.frames: list[Checks] = []
        self.refunds: list[Check] = []
        self.heard: list[Message] = []  # everything else
        self.errors: list[Exception] = []  # with which connections were lost
        self.accepted = 0
        self.connections: set[Connection] = set()
        self.members = [("double", "127.0.0.1:1")]
        self.reason = ""  # why it can't decide, if it can't
        self.leaving = 0  # 1: it tells each new connection that it is going
        self.knows_outcomes = True
        self.lends = 0  # tokens that it lends at most
        self.returned: list[ReturnedRow] = []
        self.source = "owner"  # as what it decides
        self.is_mute = False  # does it say nothing on new connections?
        self.dropped = 0  # so many frames to come are answered by closing their connections
        self._me = Identity("node", "double", "test", known(secret), "127.0.0.1:1", level=level)
        self._tls = tls
        self._buckets = BucketTable()
        self._server: asyncio.Server | None = None
        self._lent = 0
        self._held: list[tuple[Connection, Checks]] = []
        self._hold_until = 0
        self._thawed = threading.Event()
        self._happened = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="sidecar double")

    def __enter__(self) -> Self:
        self._thread.start()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thawed.set()
        self.stop()
        self._run(asyncio.sleep(0))  # what that has led to
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()

    # --- orders

    def start(self) -> None:
        """Listen; also again after `stop`, at the same address, with empty buckets."""
        self._buckets = BucketTable()
        self._run(self._listen())

    def stop(self) -> None:
        """End as if killed: no connection and no listening socket is left."""
        self._run(self._die())

    def stop_listening(self) -> None:
        """Take no more connections, and keep those that are there; `start` undoes it."""
        self._run(self._stop_listening())

    def freeze(self) -> None:
        """Stop the whole process, as SIGSTOP does: the kernel still accepts connections."""
        self._thawed.clear()
        self._loop.call_soon_threadsafe(self._thawed.wait)

    def thaw(self) -> None:
        """Go on, with everything that has come in meanwhile."""
        self._thawed.set()

    def hold(self, checks: int) -> None:
        """Answer no checks until that many wait, then all of them."""
        self._run(self._hold(checks))

    def say(self, *messages: Message) -> None:
        """Send messages on all connections."""
        self._run(self._say(messages))

    def cut(self) -> None:
        """Break all connections, and go on listening."""
        self._run(self._cut())

    @property
    def asked(self) -> int:
        """How many checks have come, in however many frames."""
        return sum(len(frame.checks) for frame in self.frames)

    def forget(self) -> None:
        """Drop what was seen so far."""
        self.frames.clear()
        self.heard.clear()
        self.errors.clear()

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Wait until something that happens here makes the condition true."""
        with self._happened:
            assert self._happened.wait_for(condition, PATIENCE), "it didn't happen"

    # --- in the thread

    def _run(self, work: Coroutine[object, object, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)

    async def _listen(self) -> None:
        address = parse_address(self.address)
        context = self._tls.context(ssl.Purpose.CLIENT_AUTH) if self._tls else None
        if address.path:
            server = await self._loop.create_unix_server(self._accept, address.path)
        else:
            server = await self._loop.create_server(
                self._accept, address.host, address.port, ssl=context
            )
            self.address = "{}:{}".format(*server.sockets[0].getsockname()[:2])
        self._server = server

    def _accept(self) -> asyncio.Protocol:
        if self.is_mute:
            self.accepted += 1
            self._note()
            return asyncio.Protocol()
        handshake = Accepting(self._me, token_bytes(NONCE_BYTES), approve=lambda _: None)
        handshake.channel = UNIX if parse_address(self.address).path else PLAIN
        if self._tls is not None:
            handshake.channel = tls_channel(self._tls.certificate())
        return _Session(handshake, self)

    def opened(self, connection: Connection) -> None:
        """Count a connection in."""
        self.accepted += 1
        self.connections.add(connection)
        self._note()

    async def _die(self) -> None:
        await self._stop_listening()
        await self._cut()

    async def _stop_listening(self) -> None:
        if self._server is not None:
            self._server.close()

    async def _cut(self) -> None:
        broken = list(self.connections)
        for connection in broken:
            connection.abort()
        for connection in broken:
            with suppress(asyncio.CancelledError):
                await connection.closed.wait()

    async def _hold(self, checks: int) -> None:
        self._hold_until = checks
        self._release()

    async def _say(self, messages: tuple[Message, ...]) -> None:
        for connection in self.connections:
            for message in messages:
                connection.send(message)

    # --- what connections tell

    def on_connected(self, connection: Connection) -> None:
        """Handle a new connection: tell the ring."""
        connection.send(Roster("digest", self.members, self.leaving))
        self._note()

    def on_message(self, connection: Connection, message: Message) -> None:
        """Handle a message: decide checks, or hold them."""
        if isinstance(message, Checks):
            self.frames.append(message)
            self._take(connection, message)
        elif isinstance(message, Refund):
            self.refunds += message.checks
            for key, limits, cost in message.checks:
                self._buckets.refund(key, parse_limits(limits), cost, time.monotonic_ns())
        elif isinstance(message, (Inspect, Reset)):
            self._inspect(connection, message)
        elif isinstance(message, Ping):
            connection.send(Pong(message.id))
        elif isinstance(message, Borrow):
            connection.send(self._lend(message))
        elif isinstance(message, Returned):
            self.returned += message.rows
        else:
            self.heard.append(message)
            if not isinstance(message, (Pong, Outcomes, Events) if self.knows_outcomes else Pong):
                refuse(message)
        self._note()

    def on_disconnected(self, connection: Connection, error: Exception | None) -> None:
        """Handle the end of a connection."""
        self.connections.discard(connection)
        if error is not None:
            self.errors.append(error)
        self._note()

    def _note(self) -> None:
        with self._happened:
            self._happened.notify_all()

    def _take(self, connection: Connection, frame: Checks) -> None:
        if self.dropped:
            self.dropped -= 1
            connection.abort()
            return
        self._held.append((connection, frame))
        self._release()

    def _release(self) -> None:
        if sum(len(frame.checks) for _, frame in self._held) < self._hold_until:
            return
        self._hold_until = 0
        for connection, frame in self._held:
            answers = [self._decide(check) for check in frame.checks]
            connection.send(Answers(frame.id, self.source, "double", None, answers))
        self._held.clear()

    def _inspect(self, connection: Connection, message: Inspect | Reset) -> None:
        held = self._buckets.held(message.key, time.monotonic_ns())
        if isinstance(message, Reset):
            self._buckets.reset(message.key)
        told = [(limit.text, debt) for limit, debt in held]
        connection.send(Holdings(message.id, self.source, "double", told))

    def _lend(self, wish: Borrow) -> Lent:
        self.heard.append(wish)
        limits, tokens = parse_limits(wish.limits), min(wish.wanted, self.lends)
        now = time.monotonic_ns()
        if not self.lends or not self._buckets.take(wish.key, limits, tokens, now)[0]:
            return Lent(wish.id, NOBODY, "double")
        debts = self._buckets.take(wish.key, limits, 0, now)[1]
        self._lent += 1
        return Lent(wish.id, "owner", "double", tokens, MAX_LEASE, self._lent, 0, list(debts))

    def _decide(self, check: Check) -> Answer:
        key, limits, cost = check
        if self.reason:
            return self.reason
        try:
            require_key(key)
            now = time.monotonic_ns()
            allowed, debts = self._buckets.take(key, parse_limits(limits), cost, now)
        except SidegateError as error:
            return str(error)
        return [int(allowed), *debts]


class _Session(Connection):
    """A connection that counts only when it is there: not if TLS fails before."""

    def __init__(self, handshake: Accepting, double: SidecarDouble) -> None:
        super().__init__(handshake, double)
        self._double = double

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._double.opened(self)
