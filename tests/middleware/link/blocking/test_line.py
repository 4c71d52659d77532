"""A line to a side that is moved by hand, in the same thread: what each step does."""

import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from sidegate.link.address import Address
from sidegate.link.blocking.line import Line
from sidegate.link.endpoint import Endpoint
from sidegate.protocol.codec import Bytes, Framer, Refused, WireError, decode, encode
from sidegate.protocol.handshake import UNIX, Accepting, Identity
from sidegate.protocol.messages import Error, Message, Ping, Pong, Roster
from sidegate.trust.secrets import known

STEP = 0.001
APP = Identity("app", "web-1", "", known(b"secret"))
NODE = Identity("node", "n", "c", known(b"secret"))
ROSTER = Roster("d", [("a", "h:1")])


class Other:
    """The other side of a line. `last` is what it says right behind its Welcome."""

    def __init__(self, path: Path) -> None:
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._side = Accepting(NODE, bytes(32), approve=lambda _hello: None)
        self._side.channel = UNIX
        self._framer = Framer()
        self.socket: socket.socket | None = None
        self.last = b""
        self.line = Line(Endpoint(Address(path=str(path)), 1.0, APP, None), STEP)

    def accept(self) -> None:
        self.socket, _ = self._listener.accept()
        self.socket.setblocking(False)

    def shake(self) -> None:
        """Take part in the handshake, with what has come so far."""
        if self.socket is None:
            self.accept()
        for body in self._read():
            reply = self._side.receive(body)
            self.say(reply + self.last if self._side.done else reply)

    def up(self) -> None:
        while not self.line.is_up:
            self.line.advance()
            self.shake()

    def _read(self) -> list[Bytes]:
        assert self.socket is not None
        bodies: list[Bytes] = []
        with suppress(BlockingIOError):
            while data := self.socket.recv(1 << 20):
                bodies += self._framer.feed(data)
        return bodies

    def heard(self) -> list[Message]:
        return [decode(body) for body in self._read()]

    def say(self, *messages: Message | bytes) -> None:
        assert self.socket is not None
        frames = [it if isinstance(it, bytes) else encode(it) for it in messages]
        self.socket.sendall(b"".join(frames))

    def close(self) -> None:
        self.line.close()
        self._listener.close()
        if self.socket is not None:
            self.socket.close()


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Other]:
    side = Other(tmp_path / "s")
    yield side
    side.close()


def received(line: Line) -> list[Message]:
    return [decode(body) for body in line.receive()]


class TestDialling:
    def test_what_came_right_behind_the_handshake_is_received_first(self, other: Other) -> None:
        other.last = encode(ROSTER)
        other.up()
        other.say(Ping(1))
        assert received(other.line) == [ROSTER]
        assert received(other.line) == [Ping(1)]

    def test_a_side_that_says_nothing_costs_one_step_at_a_time(self, other: Other) -> None:
        assert [other.line.advance() for _ in range(3)] == [False] * 3
        assert not other.line.is_up

    def test_a_step_in_which_something_is_heard_tells_so(self, other: Other) -> None:
        other.line.advance()
        other.shake()
        assert other.line.advance()

    def test_a_refusal_names_its_reason_and_is_not_answered(self, other: Other) -> None:
        other.line.advance()
        other.accept()
        other.heard()
        other.say(Error("busy", "come back later"))
        other.line.advance()
        with pytest.raises(Refused, match="come back later") as caught:
            other.line.advance()
        other.line.fail(caught.value)
        assert other.heard() == []

    def test_where_nobody_listens_it_fails_at_once(self, tmp_path: Path) -> None:
        for address in (Address(path=str(tmp_path / "none")), Address("127.0.0.1", 1)):
            line = Line(Endpoint(address, 1.0, APP, None), STEP)
            with pytest.raises(OSError, match=r"No such file|refused"):
                line.advance()
            line.close()

    def test_each_address_of_a_name_is_tried(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            line = Line(Endpoint(Address("localhost", port), 1.0, APP, None), STEP)
            assert not line.advance()
            line.close()


class TestTalking:
    def test_when_nothing_comes_within_a_step_nothing_is_received(self, other: Other) -> None:
        other.up()
        assert list(other.line.receive()) == []

    def test_a_frame_that_comes_byte_by_byte_is_put_together(self, other: Other) -> None:
        other.up()
        frame = encode(ROSTER)
        for at in range(len(frame) - 1):
            other.say(frame[at : at + 1])
            assert received(other.line) == []
        other.say(frame[-1:])
        assert received(other.line) == [ROSTER]

    def test_a_closed_connection_is_an_error_and_no_timeout(self, other: Other) -> None:
        other.up()
        assert other.socket
        other.socket.shutdown(socket.SHUT_WR)
        with pytest.raises(ConnectionResetError, match="has closed"):
            other.line.receive()

    def test_what_is_not_read_yet_is_kept_and_leaves_in_later_steps(self, other: Other) -> None:
        other.up()
        pongs = [Pong(at) for at in range(200_000)]
        other.line.send(b"".join(map(encode, pongs)))
        assert bool(other.line.is_clogged)
        heard: list[Message] = []
        while other.line.is_clogged:
            heard += other.heard()
            other.line.send(b"")
        assert [*heard, *other.heard()] == pongs

    def test_it_tells_when_there_may_be_more_than_was_read_at_once(self, other: Other) -> None:
        other.up()
        other.say(*[Pong(at) for at in range(12_000)])
        pongs = len(received(other.line))
        assert bool(other.line.has_more)
        while other.line.has_more:
            pongs += len(received(other.line))
        assert pongs == 12_000

    def test_the_other_side_hears_what_was_wrong_with_what_it_said(self, other: Other) -> None:
        other.up()
        other.say(b"\xff\xff\xff\xff")
        with pytest.raises(WireError) as caught:
            other.line.receive()
        other.line.fail(caught.value)
        (told,) = other.heard()
        assert isinstance(told, Error)
        assert told.code == "frame-too-long"

    def test_a_line_of_the_standard_library_may_be_interrupted_anywhere(self, other: Other) -> None:
        other.up()
        assert not other.line.is_cooperative
