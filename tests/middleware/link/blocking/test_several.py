"""Several questions of one thread, and refunds: when one is killed, or waits for too long."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from sidegate.link.blocking.exchange import Question
from sidegate.link.blocking.multiplexer import Multiplexer
from sidegate.link.blocking.trouble import Trouble
from sidegate.link.blocking.waiting import Waiting
from sidegate.protocol.messages import Answers
from tests.middleware.link.blocking.test_multiplexer import Lines
from tests.support.in_process.sidecar_double import SidecarDouble
from tests.support.signals import Interrupted, interruptible
from tests.support.waiting import PATIENCE, in_threads


@pytest.fixture
def lines(sidecar: SidecarDouble) -> Iterator[Lines]:
    with closing(Lines(sidecar.address)) as made:
        yield made


def several(count: int = 3, age: float = 0.0) -> list[Question]:
    """Return questions that have waited for `age` seconds already."""
    asked_at = time.monotonic() - age
    return [Question((f"k{at}", "1000/minute", 1), asked_at) for at in range(count)]


def ask(lines: Multiplexer, age: float = 0.0) -> list[Question]:
    """Ask several questions."""
    questions = several(age=age)
    lines.ask_all(questions)
    assert all(question.is_settled for question in questions)
    return questions


def is_at_rest(lines: Lines) -> bool:
    """Does nobody lead or follow, and is nothing left to be written?"""
    waiting = lines.waiting
    return waiting.leader is waiting.oldest is None and waiting.take_all() == []


def test_threads_with_several_and_with_one_share_a_connection(
    sidecar: SidecarDouble, lines: Lines
) -> None:
    asked = in_threads(40, lambda _number: [ask(lines) for _ in range(10)])
    assert all(question.answers for many in asked for some in many for question in some)
    assert (sidecar.accepted, sidecar.asked) == (1, 1200)
    assert is_at_rest(lines)


def test_a_thread_that_follows_has_all_of_its_answers(sidecar: SidecarDouble, lines: Lines) -> None:
    """Though they come in parts, and the lead changes in between."""
    ask(lines)
    sidecar.hold(99)
    with ThreadPoolExecutor(2) as pool:
        leader = pool.submit(ask, lines)
        sidecar.wait_for(lambda: sidecar.asked == 6)
        follower = pool.submit(ask, lines)
        sidecar.wait_for(lambda: sidecar.asked == 9)
        for at in (2, 0, 1):
            sidecar.say(Answers(3, "owner", "n", [at], [[1, at]]))
        sidecar.hold(0)
        assert [it.answer for it in follower.result(PATIENCE)] == [[1, 0], [1, 1], [1, 2]]
        assert all(it.answers for it in leader.result(PATIENCE))
    assert is_at_rest(lines)


def test_who_waited_for_too_long_gives_all_up_together(
    sidecar: SidecarDouble, lines: Lines
) -> None:
    ask(lines)
    sidecar.hold(99)
    assert {it.trouble for it in ask(lines, age=1e6)} == {Trouble.BUSY}
    assert lines.watching.failures == []
    assert is_at_rest(lines)


def test_of_one_that_is_killed_nothing_is_left(sidecar: SidecarDouble, lines: Lines) -> None:
    """Nobody waits for its answers, and what wasn't written never is."""
    ask(lines)
    sidecar.hold(99)

    def kill() -> None:
        sidecar.wait_for(lambda: sidecar.asked == 6)
        os.kill(os.getpid(), signal.SIGUSR1)

    thread = threading.Thread(target=kill)
    questions = several()
    with interruptible():
        thread.start()
        with pytest.raises(Interrupted):
            lines.ask_all(questions)
        thread.join()
    assert all(question.is_settled for question in questions)
    assert is_at_rest(lines)
    sidecar.hold(0)
    assert all(question.answers for question in ask(lines))
    assert sidecar.asked == 9


def test_the_lead_is_taken_for_refunds_that_nobody_says() -> None:
    waiting = Waiting()
    first, second = several(2)
    assert not waiting.lead(first)
    waiting.give_back(("k", "1/day", 1))
    assert waiting.lead(first)
    assert not waiting.lead(second)
    assert waiting.take_refunds() == [("k", "1/day", 1)]
    waiting.leave(first)
    assert waiting.leader is None
    assert not waiting.lead(second)
