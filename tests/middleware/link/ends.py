"""Both ends of a connection, over a wire that keeps every write."""

import asyncio

from sidegate.link.connection import Connection
from sidegate.protocol.codec import Framer, Refused, decode
from sidegate.protocol.handshake import Accepting, Dialling, Identity
from sidegate.protocol.messages import Error, Hello, Message, Ping, Pong

APP = Identity("app", "shop", "")
NODE = Identity("node", "n1", "sidegate", link="127.0.0.1:1")


class Wire(asyncio.Transport):
    """The end of a wire: keeps what is written, and whether it is read, closing or cut."""

    def __init__(self, peername: object = ("10.1.2.3", 4567)) -> None:
        super().__init__({"peername": peername})
        self.writes: list[bytes] = []
        self.reading = True
        self.closing = False
        self.cut = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.closing, "written after it was closed"
        self.writes.append(bytes(data))

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self.high, self.low = high, low

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    def abort(self) -> None:
        self.closing = self.cut = True

    def messages(self) -> list[Message]:
        """Take out what was written, as messages."""
        bodies = Framer().feed(b"".join(self.writes))
        self.writes.clear()
        return [decode(body) for body in bodies]


class Side:
    """Hears of a connection, and answers pings."""

    def __init__(self) -> None:
        self.ups = 0
        self.heard: list[Message] = []
        self.lost_with: list[Exception | None] = []

    def on_connected(self, connection: Connection) -> None:
        assert connection.is_up
        self.ups += 1

    def on_message(self, connection: Connection, message: Message) -> None:
        self.heard.append(message)
        if isinstance(message, Ping):
            connection.send(Pong(message.id))
        elif isinstance(message, Error):
            raise Refused(message.code, message.text)

    def on_disconnected(self, connection: Connection, error: Exception | None) -> None:
        assert connection.peer is None or connection.peer.name
        self.lost_with.append(error)


def approve(_hello: Hello) -> None:
    """Let everybody in."""


def ends() -> tuple[Connection, Connection]:
    """Return both ends of a connection: the dialling and the accepting one, before a word."""
    dialling = Connection(Dialling(APP, b"d" * 32, "n1:1"), Side())
    accepting = Connection(Accepting(NODE, b"a" * 32, approve=approve), Side())
    for end in (dialling, accepting):
        end.connection_made(Wire())
    return dialling, accepting


def side(end: Connection) -> Side:
    handler = end._handler
    assert isinstance(handler, Side)
    return handler


def wire(end: Connection) -> Wire:
    assert isinstance(end.transport, Wire)
    return end.transport


def carry(sender: Connection, receiver: Connection) -> None:
    """Bring what one end has written to the other, in one read."""
    data = b"".join(wire(sender).writes)
    wire(sender).writes.clear()
    receiver.data_received(data)


def shaken() -> tuple[Connection, Connection]:
    """Return both ends with the handshake done."""
    dialling, accepting = ends()
    for _ in range(2):
        carry(dialling, accepting)
        carry(accepting, dialling)
    assert dialling.is_up
    assert accepting.is_up
    return dialling, accepting
