"""The pool: bounded, trimmed when it idles, and never short of a line that was lost."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

import pytest

from sidegate.line import Line
from sidegate.pool import MOST_IDLE, Pool
from sidegate.wire import Answers, encode

if TYPE_CHECKING:
    from collections.abc import Iterator

CHECK = ("k", "5/minute", 1)


class Dialler:
    """Makes lines, on which the first answer has already arrived if `answers`."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.others: list[socket.socket] = []
        self.answers = True
        self.failure: BaseException | None = None

    def dial(self, _deadline: float) -> Line:
        if self.failure is not None:
            raise self.failure
        mine, other = socket.socketpair()
        if self.answers:
            other.sendall(encode(Answers(1, "owner", "n", None, [[1, 5]])))
        self.others.append(other)
        self.lines.append(Line(mine, lambda _roster: None))
        return self.lines[-1]


@pytest.fixture
def dialler() -> Iterator[Dialler]:
    made = Dialler()
    yield made
    for line in made.lines:
        line.close()
    for other in made.others:
        other.close()


def is_open(line: Line) -> bool:
    return line._socket.fileno() >= 0


def soon() -> float:
    """Return a deadline for what is there already."""
    return time.monotonic() + 20


def test_idle_too_long(dialler: Dialler) -> None:
    """A line left over from a burst is closed when others come back half a minute later."""
    pool, now = Pool(dialler.dial), soon()
    lines = [pool._take(now) for _ in range(3)]
    for line, later in zip(lines, (0.0, 1.0, MOST_IDLE + 0.5), strict=True):
        line.deadline = now + later
        pool._give(line)
    assert [is_open(line) for line in lines] == [False, True, True]
    assert pool._open == 2


def test_latest_first(dialler: Dialler) -> None:
    """The line that came back last is taken first, so that those not needed grow old."""
    pool = Pool(dialler.dial)
    first, second = pool._take(soon()), pool._take(soon())
    pool._give(first)
    pool._give(second)
    assert pool._take(soon()) is second
    assert pool._take(soon()) is first


def test_all_in_use(dialler: Dialler) -> None:
    """When all lines are in use at the deadline it is a timeout, and no more are dialled."""
    pool = Pool(dialler.dial, most=2)
    pool._take(soon())
    pool._take(soon())
    with pytest.raises(TimeoutError, match="all 2 lines are in use"):
        pool.ask(CHECK, time.monotonic() + 0.002)
    assert len(dialler.lines) == 2
    assert pool._waiting == 0


@pytest.mark.parametrize("failure", [OSError("no"), KeyboardInterrupt()])
def test_room_after_a_failed_dial(dialler: Dialler, failure: BaseException) -> None:
    """A dial that fails takes no line's room for ever."""
    pool = Pool(dialler.dial, most=1)
    dialler.failure = failure
    for _ in range(3):
        with pytest.raises(type(failure)):
            pool.ask(CHECK, soon())
    dialler.failure = None
    assert pool.ask(CHECK, soon()).id == 1


def test_room_after_a_lost_line(dialler: Dialler) -> None:
    """A line that is given up makes room for another, and is closed."""
    pool = Pool(dialler.dial, most=1)
    dialler.answers = False
    for _ in range(3):
        with pytest.raises(TimeoutError):
            pool.ask(CHECK, time.monotonic() + 0.002)
    assert not any(is_open(line) for line in dialler.lines)
    dialler.answers = True
    assert pool.ask(CHECK, soon()).id == 1
