"""A line over a pair of sockets, where the other side has already said what it will say."""

from __future__ import annotations

import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest

from sidegate.handshake import Accepting, Identity
from sidegate.line import Line
from sidegate.secret import known
from sidegate.wire import (
    Answers,
    Checks,
    Error,
    Forget,
    Framer,
    Merged,
    Message,
    Ping,
    Pong,
    Refused,
    Roster,
    WireError,
    decode,
    encode,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sidegate.handshake import Handshake

CHECK = ("k", "5/minute", 1)
APP = Identity("app", "web-1", "", known(b"secret"))


def answer(number: int = 1, debt: int = 5) -> Answers:
    return Answers(number, "owner", "n", None, [[1, debt]])


class Other:
    """The other side of a line."""

    def __init__(self) -> None:
        mine, self.socket = socket.socketpair()
        self.told: list[Roster | Forget] = []
        self.line = Line(mine, self.told.append)

    def say(self, *messages: Message | bytes) -> None:
        frames = [m if isinstance(m, bytes) else encode(m) for m in messages]
        self.socket.sendall(b"".join(frames))

    def hang_up(self) -> None:
        self.socket.shutdown(socket.SHUT_WR)

    def heard(self) -> list[Message]:
        self.socket.setblocking(False)
        return [decode(body) for body in Framer().feed(self.socket.recv(65_536))]

    def close(self) -> None:
        self.line.close()
        self.socket.close()


@pytest.fixture
def other() -> Iterator[Other]:
    side = Other()
    yield side
    side.close()


def soon() -> float:
    """Return a deadline for what is there already."""
    return time.monotonic() + 20


def at_once() -> float:
    """Return a deadline that passes when there is nothing to read."""
    return time.monotonic() + 0.002


class TestAsk:
    def test_answer(self, other: Other) -> None:
        """One question goes out, with what is left of the budget, and its answer comes back."""
        other.say(answer())
        assert other.line.ask(CHECK, time.monotonic() + 10) == answer()
        (asked,) = other.heard()
        assert isinstance(asked, Checks)
        assert (asked.id, asked.hops, asked.checks) == (1, 0, [CHECK])
        assert 0 < asked.budget <= 10_000_000

    def test_one_after_the_other(self, other: Other) -> None:
        """Each question has its own number."""
        other.say(answer(1, 10), answer(2, 20))
        debts = [other.line.ask(CHECK, soon()).answers for _ in range(2)]
        assert debts == [[[1, 10]], [[1, 20]]]
        assert [asked.id for asked in other.heard() if isinstance(asked, Checks)] == [1, 2]

    def test_answer_to_another_question(self, other: Other) -> None:
        """An answer with another number isn't taken for this question's."""
        other.say(answer(0, 99), answer(7, 99), answer(1, 10))
        assert other.line.ask(CHECK, soon()).answers == [[1, 10]]

    def test_at_position(self, other: Other) -> None:
        """An answer to position 0 is as good as one to all."""
        other.say(Answers(1, "owner", "n", [0], [[1, 5]]))
        assert other.line.ask(CHECK, soon()).positions == [0]

    def test_messages_in_between(self, other: Other) -> None:
        """While it waits it tells of the ring and of resets, answers pings, and ignores pongs."""
        roster, reset = Roster("d", [("a", "h:1"), ("b", "h:2")]), Forget("k")
        other.say(roster, Ping(3), reset, Pong(4), answer(), roster)
        other.line.ask(CHECK, soon())
        assert other.told == [roster, reset]
        assert Pong(3) in other.heard()
        other.say(answer(2))
        other.line.ask(CHECK, soon())
        assert other.told == [roster, reset, roster]

    def test_in_pieces(self, other: Other) -> None:
        """An answer that comes byte by byte is put together."""
        frame = encode(answer())
        other.say(frame[:5])

        def rest() -> None:
            for at in range(5, len(frame)):
                other.say(frame[at : at + 1])

        thread = threading.Thread(target=rest)
        thread.start()
        assert other.line.ask(CHECK, soon()) == answer()
        thread.join()


class TestFaults:
    def test_deadline(self, other: Other) -> None:
        """Without an answer it is a timeout."""
        with pytest.raises(TimeoutError, match="within the budget"):
            other.line.ask(CHECK, at_once())

    def test_deadline_that_has_passed(self, other: Other) -> None:
        """Nothing is sent when no time is left."""
        other.say(answer())
        with pytest.raises(TimeoutError):
            other.line.ask(CHECK, time.monotonic())
        with pytest.raises(BlockingIOError):
            other.heard()

    def test_late_but_there(self, other: Other) -> None:
        """An answer that is there when this process comes back too late to wait still counts."""
        other.say(answer())
        other.line._late = False
        assert decode(other.line._next(time.monotonic() - 1)) == answer()

    def test_late_and_talkative(self, other: Other) -> None:
        """Past the deadline it reads once: a side that talks on and on can't keep it."""
        other.say(Ping(1))
        other.line._next(time.monotonic() - 1)
        other.say(Ping(2))
        with pytest.raises(TimeoutError):
            other.line._next(time.monotonic() - 1)

    def test_gone(self, other: Other) -> None:
        """A connection that was closed is an OSError, and no timeout."""
        other.hang_up()
        with pytest.raises(ConnectionError) as caught:
            other.line.ask(CHECK, soon())
        assert not isinstance(caught.value, TimeoutError)

    def test_refused(self, other: Other) -> None:
        """An Error from the other side is Refused, with its words."""
        other.say(Error("busy", "come back later"))
        with pytest.raises(Refused, match="come back later"):
            other.line.ask(CHECK, soon())

    @pytest.mark.parametrize(
        "wrong",
        [
            bytes.fromhex("0000000100"),
            bytes.fromhex("00200000"),
            encode(Checks(1, 0, 1, [CHECK])),
            encode(Answers(1, "owner", "n", None, [])),
            encode(Answers(1, "owner", "n", None, [[1], [1]])),
            encode(Answers(1, "owner", "n", [1], [[1]])),
            encode(Answers(1, "owner", "n", [-1], [[1]])),
            encode(Merged(1)),
        ],
    )
    def test_nonsense(self, other: Other, wrong: bytes) -> None:
        """What has no place there is a WireError, and the other side hears of it on closing."""
        other.say(wrong)
        with pytest.raises(WireError) as caught:
            other.line.ask(CHECK, soon())
        other.line.fail(caught.value)
        (_, told) = other.heard()
        assert isinstance(told, Error)
        assert told.code == caught.value.code

    def test_refusals_are_not_answered(self, other: Other) -> None:
        """Nothing is sent back for an Error, nor for a timeout."""
        other.line.fail(Refused("busy", "come back later"))
        assert other.heard() == []


class TestShakeHands:
    def test_up(self, other: Other) -> None:
        """The handshake of the other side, and a Roster in the same packet, are understood."""
        secret, done = b"secret", threading.Event()

        def accept() -> None:
            side: Handshake = Accepting(
                Identity("node", "n", "c", known(secret)), bytes(32), approve=lambda _hello: None
            )
            framer = Framer()
            while not side.done:
                for body in framer.feed(other.socket.recv(65_536)):
                    reply = side.receive(body)
                    other.say(reply + encode(Roster("d", [])) if side.done else reply)
            done.set()

        thread = threading.Thread(target=accept)
        thread.start()
        other.line.shake_hands(APP, soon())
        thread.join()
        assert done.is_set()
        assert not other.line.is_used
        other.say(answer())
        other.line.ask(CHECK, soon())
        assert other.told == [Roster("d", [])]
        assert other.line.is_used

    def test_refused(self, other: Other) -> None:
        """A refusal names its reason."""
        other.say(Error("busy", "come back later"))
        with pytest.raises(Refused, match="come back later"):
            other.line.shake_hands(APP, soon())

    def test_silence(self, other: Other) -> None:
        """A side that says nothing costs no more than the deadline."""
        with pytest.raises(TimeoutError):
            other.line.shake_hands(APP, at_once())
