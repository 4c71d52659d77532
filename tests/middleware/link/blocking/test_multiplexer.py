"""One connection for many threads: who waits for how long, and what happens when one is killed."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from sidegate.client.config import client_options
from sidegate.link.blocking.exchange import Question
from sidegate.link.blocking.multiplexer import Multiplexer
from sidegate.link.blocking.trouble import Trouble
from sidegate.protocol.codec import encode
from sidegate.protocol.holds.lease_messages import Lent
from sidegate.protocol.messages import Answers, Forget, Message, Ping, Pong, Roster
from tests.support.in_process.sidecar_double import SidecarDouble
from tests.support.signals import Interrupted, interruptible
from tests.support.waiting import AMPLE, PATIENCE, SCANT, in_threads, until


class Watching:
    """Who hears from leaders."""

    def __init__(self) -> None:
        self.failures: list[Exception] = []
        self.frames: list[bytes] = []  # to be sent, one in front of each frame of checks

    def told(self, message: Roster | Forget | Lent) -> None:
        """Take no note."""

    def answered(self) -> None:
        """Take no note."""

    def failed(self, error: Exception) -> None:
        """Keep why checks failed."""
        self.failures.append(error)

    def report(self) -> bytes:
        """Return what is to be sent."""
        return self.frames.pop() if self.frames else b""

    @property
    def has_words(self) -> bool:
        """Say nothing of leases."""
        return False

    def words(self) -> list[Message]:
        """Return nothing."""
        return []


class Lines(Multiplexer):
    """The connection of a process that keeps what it hears of it."""

    def __init__(self, address: str, budget: float = AMPLE) -> None:
        self.watching = Watching()
        super().__init__(client_options(address, budget, "", None, "app"), self.watching)


@pytest.fixture
def lines(sidecar: SidecarDouble) -> Iterator[Lines]:
    with closing(Lines(sidecar.address)) as made:
        yield made


def ask(lines: Multiplexer, age: float = 0.0) -> Question:
    """Ask a question that has waited for `age` seconds already."""
    question = Question(("k", "1000/minute", 1), time.monotonic() - age)
    lines.ask(question)
    assert question.is_settled
    return question


class TestPatience:
    def test_who_waited_for_too_long_gives_up(self, sidecar: SidecarDouble, lines: Lines) -> None:
        """For reasons of its own: the connection stays, and the breaker hears of nothing."""
        ask(lines)
        sidecar.hold(2)
        assert ask(lines, age=1e6).trouble is Trouble.BUSY
        sidecar.hold(0)
        assert ask(lines).answers
        assert (sidecar.accepted, lines.watching.failures) == (1, [])

    def test_an_answer_already_there_counts(self, sidecar: SidecarDouble, lines: Lines) -> None:
        """For who gives up does so only after a read."""
        ask(lines)
        sidecar.hold(9)
        sidecar.say(Answers(2, "owner", "n", None, [[1, 42]]))
        question = ask(lines, age=1e6)
        assert (question.answer, question.trouble) == ([1, 42], None)
        sidecar.hold(0)

    def test_a_leader_gives_up_late_followers(self, sidecar: SidecarDouble, lines: Lines) -> None:
        """And goes on."""
        ask(lines)
        sidecar.hold(2)
        with ThreadPoolExecutor(1) as pool:
            leader = pool.submit(ask, lines)
            sidecar.wait_for(lambda: sidecar.asked == 2)
            assert ask(lines, age=1e6).trouble is Trouble.BUSY
            sidecar.hold(0)
            assert leader.result(PATIENCE).answers
        assert lines.watching.failures == []

    def test_a_sidecar_that_leaves_a_check_out(self, sidecar: SidecarDouble) -> None:
        """One that speaks and answers no check for a budget isn't silent, but isn't waited for."""
        with closing(Lines(sidecar.address, budget=0.5)) as lines:
            ask(lines)
            sidecar.hold(9)
            with ThreadPoolExecutor(1) as pool:
                asked = pool.submit(ask, lines)
                sidecar.wait_for(lambda: sidecar.asked == 2)
                while not asked.done():
                    sidecar.say(Ping(1))
                assert asked.result().trouble is Trouble.UNANSWERED
            assert (sidecar.accepted, lines.watching.failures) == (1, [])
            sidecar.hold(0)

    def test_silence_is_one_failure_for_all_who_wait(self, sidecar: SidecarDouble) -> None:
        with closing(Lines(sidecar.address, budget=0.2)) as lines:
            until(lambda: ask(lines).answers is not None)
            lines.watching.failures.clear()
            sidecar.freeze()
            asked = in_threads(8, lambda _number: ask(lines))
            assert {type(question.failure) for question in asked} == {TimeoutError}
            assert len(lines.watching.failures) == 1
            sidecar.thaw()


def test_after_a_leader_that_is_killed_another_goes_on(
    sidecar: SidecarDouble, lines: Lines
) -> None:
    """On a connection that is surely whole."""
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
    assert lines.watching.failures == []


def test_a_report_leaves_in_front_of_checks(sidecar: SidecarDouble, lines: Lines) -> None:
    """Once the sidecar has answered one."""
    lines.watching.frames.append(encode(Pong(7)))
    ask(lines)
    assert sidecar.heard == []
    ask(lines)
    assert sidecar.heard == [Pong(7)]


def test_200_threads_have_one_connection(sidecar: SidecarDouble, lines: Lines) -> None:
    asked = in_threads(200, lambda _number: [ask(lines) for _ in range(5)])
    assert all(question.answers for many in asked for question in many)
    assert (sidecar.accepted, sidecar.asked) == (1, 1000)
    assert lines.waiting.leader is lines.waiting.oldest is None


def test_where_nobody_listens_all_fail_at_once_and_nothing_is_left(tmp_path: Path) -> None:
    """Each dial is one failure."""
    lines = Lines(f"unix:{tmp_path}/none", SCANT)
    asked = in_threads(8, lambda _number: ask(lines))
    assert {type(question.failure) for question in asked} == {FileNotFoundError}
    assert 1 <= len(lines.watching.failures) <= 8
    assert lines.waiting.leader is None
