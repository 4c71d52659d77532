"""The pool when a sidecar is going, or gone: which line a thread gets instead."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

import pytest

from sidegate.blocking import BlockingClient
from sidegate.decision import Source
from sidegate.line import Line
from sidegate.pool import RELIEF_EVERY, Pool
from sidegate.wire import Answers, Roster, WireError, encode
from tests.middleware.patience import AMPLE
from tests.middleware.sidecar_double import SidecarDouble

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHECK = ("k", "5/minute", 1)
LEAVING = Roster("digest", [("double", "127.0.0.1:1")], 1)


class Dialler:
    """Makes lines on which the answers to two checks have already arrived."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.others: list[socket.socket] = []
        self.deadlines: list[float] = []
        self.is_leaving = False  # does the sidecar that is reached say so?
        self.failure: BaseException | None = None

    def dial(self, deadline: float) -> Line:
        self.deadlines.append(deadline)
        if self.failure is not None:
            raise self.failure
        mine, other = socket.socketpair()
        if self.is_leaving:
            other.sendall(encode(LEAVING))
        for number in range(1, 9):
            other.sendall(encode(Answers(number, "owner", "n", None, [[1, 5]])))
        self.others.append(other)
        self.lines.append(Line(mine, lambda _word: None))
        return self.lines[-1]

    def closed(self) -> list[bool]:
        """Say of each line whether it is closed."""
        return [line._socket.fileno() < 0 for line in self.lines]


@pytest.fixture
def dialler() -> Iterator[Dialler]:
    made = Dialler()
    yield made
    for line in made.lines:
        line.close()
    for other in made.others:
        other.close()


def soon() -> float:
    """Return a deadline for what is there already."""
    return time.monotonic() + 20


def left(dialler: Dialler) -> Pool:
    """Return a pool with one line, whose sidecar has said that it is going."""
    pool = Pool(dialler.dial)
    pool._drop_idle(0)  # as if it had lost lines before
    dialler.is_leaving = True
    pool.ask(CHECK, soon())
    dialler.is_leaving = False
    return pool


class TestGoing:
    def test_another_line(self, dialler: Dialler) -> None:
        """The check after the word is asked on a new line, and the old one is closed."""
        pool = left(dialler)
        pool.ask(CHECK, soon())
        pool.ask(CHECK, soon())
        assert dialler.closed() == [True, False]
        assert pool._open == 1

    @pytest.mark.parametrize(
        "failure", [ConnectionRefusedError(), TimeoutError(), ValueError(), WireError("busy", "x")]
    )
    def test_nobody_else(self, dialler: Dialler, failure: Exception) -> None:
        """Where nobody else can be reached, checks are asked where they were, and none fails."""
        pool = left(dialler)
        dialler.failure = failure
        assert [pool.ask(CHECK, soon()).source for _ in range(3)] == ["owner"] * 3
        assert dialler.closed() == [False]
        assert pool._open == 1

    def test_not_in_a_loop(self, dialler: Dialler) -> None:
        """A look for another line costs time: after one that failed there is a pause."""
        pool = left(dialler)
        dialler.failure = ConnectionRefusedError()
        began = time.monotonic()
        for _ in range(3):
            pool.ask(CHECK, soon())
        assert len(dialler.deadlines) - 1 <= 1 + (time.monotonic() - began) / RELIEF_EVERY
        dialler.failure = None
        dialler.lines[0].relief_due = 0.0  # as if the pause were over
        pool.ask(CHECK, soon())
        assert dialler.closed() == [True, False]

    def test_the_same_sidecar(self, dialler: Dialler) -> None:
        """A new line to the one that is going is not given up again at once."""
        pool = left(dialler)
        dialler.is_leaving = True
        began = time.monotonic()
        for _ in range(4):
            pool.ask(CHECK, soon())
        assert len(dialler.lines) - 1 <= 1 + (time.monotonic() - began) / RELIEF_EVERY

    def test_half_of_the_time(self, dialler: Dialler) -> None:
        """Looking for another line leaves half of the budget to the old one."""
        pool = left(dialler)
        dialler.failure = TimeoutError()
        began = time.monotonic()
        pool.ask(CHECK, began + 20)
        assert began < dialler.deadlines[-1] < time.monotonic() + 10

    def test_killed_over_it(self, dialler: Dialler) -> None:
        """A thread that is ended while it looks leaves no line open, and room for another."""
        pool = left(dialler)
        dialler.failure = KeyboardInterrupt()
        with pytest.raises(KeyboardInterrupt):
            pool.ask(CHECK, soon())
        assert dialler.closed() == [True]
        assert pool._open == 0


class TestGone:
    def test_lines_in_use(self, dialler: Dialler) -> None:
        """A line that was in use when another was lost isn't used again: it may be lost as well."""
        pool = Pool(dialler.dial)
        first, second = pool._take(soon()), pool._take(soon())
        pool._give(first)
        pool.ask(CHECK, soon())  # so that it counts as used
        dialler.others[0].close()
        while not dialler.closed()[0]:
            pool.ask(CHECK, soon())
        pool._give(second)
        assert dialler.closed()[:2] == [True, True]
        assert pool._open == len(dialler.lines) - 2 == 1

    def test_lines_dialled_since(self, dialler: Dialler) -> None:
        """Who finds another old line lost has the new ones kept."""
        pool = Pool(dialler.dial)
        first, second = pool._take(soon()), pool._take(soon())
        pool._drop_idle(first.generation)
        pool._give(pool._take(soon()))
        pool._drop_idle(second.generation)
        assert dialler.closed() == [False, False, False]
        assert len(pool._idle) == 1


def test_a_client_moves_without_an_answer_by_the_policy(tmp_path: Path) -> None:
    """A sidecar that says it is going has its lines taken from it; every check is decided."""
    with (
        SidecarDouble(f"unix:{tmp_path}/s") as sidecar,
        BlockingClient(sidecar.address, budget=AMPLE) as client,
    ):
        decided = [client.check("k", "9/minute")]
        old = set(sidecar.connections)
        sidecar.say(LEAVING)
        decided += [client.check("k", "9/minute") for _ in range(3)]
        sidecar.wait_for(lambda: not old & sidecar.connections)
        assert {each.source for each in decided} == {Source.OWNER}
        assert sidecar.accepted == 2
        assert client.nodes == 1
