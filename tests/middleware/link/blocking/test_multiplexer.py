"""One connection for many threads: who waits for how long, and what happens when one is killed."""

from __future__ import annotations

import os
import signal
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from sidegate.client.config import client_options
from sidegate.link.blocking.exchange import Question
from sidegate.link.blocking.multiplexer import Multiplexer
from sidegate.link.blocking.trouble import Trouble
from sidegate.protocol.codec import encode
from sidegate.protocol.messages import Answers, Forget, Ping, Pong, Roster
from tests.support.in_process.sidecar_double import SidecarDouble
from tests.support.signals import Interrupted, interruptible
from tests.support.waiting import AMPLE, PATIENCE, SCANT, in_threads, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Watching:
    """Who hears from leaders."""

    def __init__(self) -> None:
        self.failures: list[Exception] = []
        self.frames: list[bytes] = []  # to be sent, one in front of each frame of checks

    def told(self, message: Roster | Forget) -> None:
        """Take no note."""

    def answered(self) -> None:
        """Take no note."""

    def failed(self, error: Exception) -> None:
        """Keep why checks failed."""
        self.failures.append(error)

    def report(self) -> bytes:
        """Return what is to be sent."""
        return self.frames.pop() if self.frames else b""


@pytest.fixture
def sidecar(tmp_path: Path) -> Iterator[SidecarDouble]:
    with SidecarDouble(f"unix:{tmp_path}/s") as double:
        yield double


@pytest.fixture
def watching() -> Watching:
    return Watching()


def multiplexer(sidecar: SidecarDouble, watching: Watching, budget: float = AMPLE) -> Multiplexer:
    return Multiplexer(client_options(sidecar.address, budget, "", None, "app"), watching)


def ask(lines: Multiplexer, age: float = 0.0) -> Question:
    """Ask a question that has waited for `age` seconds already."""
    question = Question(("k", "1000/minute", 1), time.monotonic() - age)
    lines.ask(question)
    assert question.is_settled
    return question


class TestPatience:
    def test_over(self, sidecar: SidecarDouble, watching: Watching) -> None:
        """Who has waited for too long, for reasons of its own, gives up; nobody else is at fault.

        The connection stays, and the breaker hears of nothing.
        """
        lines = multiplexer(sidecar, watching)
        ask(lines)
        sidecar.hold(2)
        assert ask(lines, age=1e6).trouble is Trouble.BUSY
        sidecar.hold(0)
        assert ask(lines).answers
        assert (sidecar.accepted, watching.failures) == (1, [])
        lines.close()

    def test_over_but_answered(self, sidecar: SidecarDouble, watching: Watching) -> None:
        """It gives up only after a read: an answer that lies there already counts."""
        lines = multiplexer(sidecar, watching)
        ask(lines)
        sidecar.hold(9)
        sidecar.say(Answers(2, "owner", "n", None, [[1, 42]]))
        question = ask(lines, age=1e6)
        assert (question.answer, question.trouble) == ([1, 42], None)
        sidecar.hold(0)
        lines.close()

    def test_of_followers(self, sidecar: SidecarDouble, watching: Watching) -> None:
        """A leader gives up the followers who have waited for too long, and goes on."""
        lines = multiplexer(sidecar, watching)
        ask(lines)
        sidecar.hold(2)
        with ThreadPoolExecutor(1) as pool:
            leader = pool.submit(ask, lines)
            sidecar.wait_for(lambda: sidecar.asked == 2)
            assert ask(lines, age=1e6).trouble is Trouble.BUSY
            sidecar.hold(0)
            assert leader.result(PATIENCE).answers
        assert watching.failures == []
        lines.close()

    def test_a_sidecar_that_leaves_a_check_out(
        self, sidecar: SidecarDouble, watching: Watching
    ) -> None:
        """One that speaks and answers no check for a budget isn't silent, but isn't waited for."""
        lines = multiplexer(sidecar, watching, budget=0.5)
        ask(lines)
        sidecar.hold(9)
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(ask, lines)
            sidecar.wait_for(lambda: sidecar.asked == 2)
            while not asked.done():
                sidecar.say(Ping(1))
            assert asked.result().trouble is Trouble.UNANSWERED
        assert (sidecar.accepted, watching.failures) == (1, [])
        sidecar.hold(0)
        lines.close()

    def test_silence(self, sidecar: SidecarDouble, watching: Watching) -> None:
        """All who wait for a sidecar that is silent fail at once, and it is one failure."""
        lines = multiplexer(sidecar, watching, budget=0.2)
        until(lambda: ask(lines).answers is not None)
        watching.failures.clear()
        sidecar.freeze()
        asked = in_threads(8, lambda _number: ask(lines))
        assert {type(question.failure) for question in asked} == {TimeoutError}
        assert len(watching.failures) == 1
        sidecar.thaw()
        lines.close()


class TestKills:
    def test_leader(self, sidecar: SidecarDouble, watching: Watching) -> None:
        """When the leader is killed another one goes on, on a connection that is surely whole."""
        lines = multiplexer(sidecar, watching)
        ask(lines)
        sidecar.hold(99)
        pool = ThreadPoolExecutor(3)
        followers: list[Future[Question]] = []

        def follow() -> None:
            sidecar.wait_for(lambda: sidecar.asked == 2)
            followers.extend(pool.submit(ask, lines) for _ in range(3))
            sidecar.wait_for(lambda: sidecar.asked == 5)
            os.kill(os.getpid(), signal.SIGUSR1)

        with interruptible(), pool:
            thread = threading.Thread(target=follow)
            thread.start()
            with pytest.raises(Interrupted):
                ask(lines)
            sidecar.wait_for(lambda: sidecar.asked == 8)
            sidecar.hold(0)
            assert all(asked.result(PATIENCE).answers for asked in followers)
            thread.join()
        assert sidecar.accepted == 2
        assert watching.failures == []
        lines.close()


class TestReports:
    def test_first_in_line(self, sidecar: SidecarDouble, watching: Watching) -> None:
        """A report goes out in front of checks, once the sidecar has answered one."""
        lines = multiplexer(sidecar, watching)
        watching.frames.append(encode(Pong(7)))
        ask(lines)
        assert sidecar.heard == []
        ask(lines)
        assert sidecar.heard == [Pong(7)]
        lines.close()


def test_many(sidecar: SidecarDouble, watching: Watching) -> None:
    """200 threads at once are all answered, over one connection."""
    lines = multiplexer(sidecar, watching)
    asked = in_threads(200, lambda _number: [ask(lines) for _ in range(5)])
    assert all(question.answers for many in asked for question in many)
    assert (sidecar.accepted, sidecar.asked) == (1, 1000)
    assert lines.waiting.leader is lines.waiting.oldest is None
    lines.close()


def test_nobody_there(tmp_path: Path, watching: Watching) -> None:
    """Where nobody listens all fail at once, each dial is one failure, and nothing is left."""
    options = client_options(f"unix:{tmp_path}/none", SCANT, "", None, "app")
    lines = Multiplexer(options, watching)
    asked = in_threads(8, lambda _number: ask(lines))
    assert {type(question.failure) for question in asked} == {FileNotFoundError}
    assert 1 <= len(watching.failures) <= 8
    assert lines.waiting.leader is None
