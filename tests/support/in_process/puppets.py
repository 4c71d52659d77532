"""Bare peers of both sides: real sockets that say just what the test makes them say."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from secrets import token_bytes
from typing import Any, TypeVar, cast

from sidegate.link.address import Address
from sidegate.link.connection import Connection
from sidegate.protocol.codec import Bytes, Framer, decode, encode
from sidegate.protocol.handshake import NONCE_BYTES, Accepting, Approval, Dialling, Identity
from sidegate.protocol.messages import Checks, Error, Hello, Message, Ping, Pong, Roster
from sidegate.protocol.seal import Seal
from sidegate_sidecar.process import Process
from tests.support.in_process.cluster import GENEROUS, eventually
from tests.support.in_process.puppet_members import Life

Expected = TypeVar("Expected")

APP = Identity("app", "bare", "")


def node_named(name: str, link: str = "127.0.0.1:9", **options: Any) -> Identity:
    """Return the identity of a node that nobody runs."""
    return Identity("node", name, options.pop("cluster", "sidegate"), link=link, **options)


def checks(number: int, *asked: tuple[str, str, int], hops: int = 0, budget: int = 10**7) -> Checks:
    """Return a frame of checks; the budget is in microseconds."""
    return Checks(number, hops, budget, list(asked))


def frame(body: bytes) -> bytes:
    """Return a frame with any body."""
    return len(body).to_bytes(4, "big") + body


class Bare:
    """A bare connection to a sidecar: sends what it is told, and returns what comes back."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._framer = Framer()
        self._bodies: list[Bytes] = []
        self._seal: Seal | None = None
        self.writer = writer

    @property
    def transport(self) -> asyncio.Transport:
        """The transport below."""
        return cast("asyncio.Transport", self.writer.transport)

    async def send(self, *frames: bytes | Message) -> None:
        """Send bytes as they are, and messages in their frames; a closed door is no error."""
        data = b"".join(part if isinstance(part, bytes) else encode(part) for part in frames)
        self.writer.write(data if self._seal is None else self._seal.all_sealed(data))
        with suppress(ConnectionError):
            async with asyncio.timeout(GENEROUS):
                await self.writer.drain()

    async def body(self) -> bytes | None:
        """Return the body of the next frame, None once the other side has closed."""
        async with asyncio.timeout(GENEROUS):
            while not self._bodies:
                try:
                    data = await self._reader.read(1 << 16)
                except ConnectionError:  # it closed while we were still sending
                    return None
                if not data:
                    return None
                self._bodies += self._framer.feed(data)
        return bytes(self._bodies.pop(0))

    async def raw(self) -> bytes:
        """Return what comes until the other side closes, in frames or not."""
        received = b""
        async with asyncio.timeout(GENEROUS):
            with suppress(ConnectionError):
                while data := await self._reader.read(1 << 16):
                    received += data
        return received

    async def next(self) -> Message | None:
        """Return the next message that isn't a Roster, None once the other side has closed."""
        async with asyncio.timeout(GENEROUS):
            while (body := await self.body()) is not None:
                message = decode(body)
                if not isinstance(message, Roster):
                    return message
        return None

    async def rest(self) -> list[Message]:
        """Return all messages until the other side closes."""
        messages: list[Message] = []
        async with asyncio.timeout(GENEROUS):
            while (message := await self.next()) is not None:
                messages.append(message)
        return messages

    async def error(self) -> Error:
        """Return the error with which the other side closes, and nothing after it."""
        messages = await self.rest()
        assert messages, "closed without a word"
        assert isinstance(messages[-1], Error), messages
        return messages[-1]

    async def ping(self, number: int = 1) -> None:
        """Ask whether the other side is there, which must answer."""
        await self.send(Ping(number))
        assert await self.next() == Pong(number)

    async def shake(self, me: Identity = Identity("app", "bare", "")) -> None:  # noqa: B008  # frozen
        """Do the handshake as an honest side would."""
        handshake = Dialling(me, (me.instance + b"\x07" * NONCE_BYTES)[:NONCE_BYTES], "")
        await self.send(handshake.opening())
        await self.shake_hands(handshake, [])

    async def shake_hands(self, handshake: Dialling, sent: list[bytes]) -> None:
        """Go on with a handshake that was opened, to its end; add what is sent to a list."""
        self._framer = Framer(shakes=True)
        while not handshake.done:
            body = await self.body()
            assert body is not None, "closed in the middle of the handshake"
            if reply := handshake.receive(body):
                sent.append(reply)
                await self.send(reply)
        self._seal, theirs = handshake.seals or (None, None)
        self._framer.up(theirs)
        self._bodies += self._framer.feed(b"")


@asynccontextmanager
async def bare(sidecar: Process | Address, me: Identity | None = None) -> AsyncGenerator[Bare]:
    """Connect to a sidecar; with an identity, do the handshake too."""
    at = sidecar.link if isinstance(sidecar, Process) else sidecar
    if at.path:
        reader, writer = await asyncio.open_unix_connection(at.path)
    else:
        reader, writer = await asyncio.open_connection(at.host, at.port)
    peer = Bare(reader, writer)
    try:
        if me is not None:
            await peer.shake(me)
        yield peer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


class Puppet:
    """A listening side: shakes hands, keeps what it is told, says what it is made to say.

    Of its own accord it says only what puts it on the ring of the nodes that dial it, and that
    only while it `gossips`.
    """

    def __init__(self, me: Identity) -> None:
        self.me = me
        self.address = Address()
        self.gossips = True
        self.connections: list[Connection] = []
        self.heard: list[Message] = []
        self.errors: list[Exception] = []
        self.approve: Approval = approve_all
        self.decode: Callable[[Bytes], Message] = decode
        self.life = Life(me.name, "127.0.0.1:9")
        self._server: asyncio.Server | None = None

    async def start(self, port: int = 0) -> None:
        """Listen."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._accept, "127.0.0.1", port)
        self.address = Address("127.0.0.1", self._server.sockets[0].getsockname()[1])
        self.life = Life(self.me.name, str(self.address))

    def _accept(self) -> Connection:
        nonce = self.me.instance + token_bytes(NONCE_BYTES - len(self.me.instance))
        return Connection(Accepting(self.me, nonce, approve=self.approve), self, self.decode)

    def on_connected(self, connection: Connection) -> None:
        """Keep the connection."""
        self.connections.append(connection)

    def on_message(self, connection: Connection, message: Message) -> None:
        """Keep the message; close when the other side says what is wrong."""
        self.heard.append(message)
        if isinstance(message, Error):
            connection.close()
        elif self.gossips and connection.peer is not None:
            for to, answer in self.life.hear(connection.peer.name, message):
                self.tell(to, answer)

    def tell(self, name: str, *messages: Message) -> None:
        """Say something on the latest connection of a node, if it has one."""
        known = [it for it in self.connections if it.peer is not None and it.peer.name == name]
        for message in messages if known else ():
            known[-1].send(message)

    def on_disconnected(self, connection: Connection, error: Exception | None) -> None:
        """Drop the connection, and keep why."""
        if connection in self.connections:
            self.connections.remove(connection)
        if error is not None:
            self.errors.append(error)

    async def hear(self, kind: type[Expected], within: float = GENEROUS) -> Expected:
        """Wait for a message of this kind, and take it and those before it."""
        await eventually(lambda: any(isinstance(it, kind) for it in self.heard), within)
        while not isinstance(message := self.heard.pop(0), kind):
            pass
        return message

    async def say(self, *messages: Message) -> None:
        """Say something on the latest connection."""
        await eventually(lambda: self.connections)
        for message in messages:
            self.connections[-1].send(message)

    async def stop(self) -> None:
        """Stop listening, and cut off everyone."""
        assert self._server is not None
        self._server.close()
        for connection in list(self.connections):
            connection.abort()
        await eventually(lambda: not self.connections)


def approve_all(_hello: Hello) -> None:
    """Let everybody in."""


@asynccontextmanager
async def puppet(name: str = "puppet", **options: Any) -> AsyncGenerator[Puppet]:
    """Run a puppet that calls itself a node of this name."""
    acting = Puppet(node_named(name, **options))
    await acting.start()
    try:
        yield acting
    finally:
        await acting.stop()


class Deaf:
    """A listening side that accepts connections, and says nothing."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.open: set[asyncio.BaseTransport] = set()
        self.accepted = 0

    def has_accepted(self, count: int) -> bool:
        """Tell if it accepted at least so many connections."""
        return self.accepted >= count

    def protocol(self) -> asyncio.Protocol:
        """Return the protocol for one more connection."""
        deaf = self

        class Silent(asyncio.Protocol):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                self.transport = transport
                deaf.open.add(transport)
                deaf.accepted += 1

            def connection_lost(self, exc: Exception | None) -> None:
                assert exc is None or isinstance(exc, OSError)
                deaf.open.discard(self.transport)

        return Silent()


@asynccontextmanager
async def deaf() -> AsyncGenerator[Deaf]:
    """Run a listening side that says nothing."""
    listening = Deaf(Address())
    loop = asyncio.get_running_loop()
    server = await loop.create_server(listening.protocol, "127.0.0.1", 0)
    listening.address = Address("127.0.0.1", server.sockets[0].getsockname()[1])
    try:
        yield listening
    finally:
        server.close()
        for transport in list(listening.open):
            transport.close()
        await eventually(lambda: not listening.open)
