"""Who leads and who follows: there is one leader while anybody waits, and nobody is forgotten."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidegate.link.blocking.exchange import Question
from sidegate.link.blocking.trouble import Trouble
from sidegate.link.blocking.waiting import Waiting
from sidegate.protocol.messages import MAX_CHECKS


def ask(name: str = "k") -> Question:
    return Question((name, "5/minute", 1), 0.0)


def test_the_first_leads() -> None:
    """Who finds nobody leads; who comes later waits to be woken."""
    waiting, first, second = Waiting(), ask(), ask()
    assert waiting.join(first) is None
    wake = waiting.join(second)
    assert wake is not None
    assert wake.locked()
    assert waiting.leader is first
    assert waiting.oldest is second


def test_the_lead_passes_on() -> None:
    """A leader that leaves wakes the latest follower, who leads now."""
    waiting = Waiting()
    leader, *others = [ask() for _ in range(3)]
    wakes = [waiting.join(question) for question in (leader, *others)]
    waiting.leave(leader)
    assert waiting.leader is others[1]
    assert [wake.locked() for wake in wakes if wake] == [True, False]
    waiting.leave(others[1])
    waiting.leave(others[0])
    nobody: list[Question | None] = [waiting.leader, waiting.oldest]
    assert nobody == [None, None]


def test_settled_followers_wake() -> None:
    """Who has an answer is woken, follows no more, and is never made the leader."""
    waiting, leader, second, third = Waiting(), ask(), ask(), ask()
    waiting.join(leader)
    wakes = [waiting.join(second), waiting.join(third)]
    third.fail(OSError())
    waiting.wake([third, leader])
    assert [wake.locked() for wake in wakes if wake] == [True, False]
    waiting.leave(leader)
    assert waiting.leader is second


def test_a_follower_that_was_not_woken_yet() -> None:
    """A leader that is killed while it hands out answers has its successor hand out the rest."""
    waiting, leader, second, third = Waiting(), ask(), ask(), ask()
    waiting.join(leader)
    wakes = [waiting.join(second), waiting.join(third)]
    third.fail(OSError())
    waiting.leave(leader)
    assert [wake.locked() for wake in wakes if wake] == [False, False]
    assert waiting.leader is second


def test_giving_up() -> None:
    """A follower gives up, unless it was made the leader or got its answer just then."""
    waiting, leader, second, third = Waiting(), ask(), ask(), ask()
    for question in (leader, second, third):
        waiting.join(question)
    third.fail(OSError())
    waiting.give_up(third, Trouble.BUSY)
    waiting.give_up(second, Trouble.BUSY)
    waiting.give_up(leader, Trouble.BUSY)
    assert [question.trouble for question in (leader, second, third)] == [None, Trouble.BUSY, None]


def test_too_many() -> None:
    """A follower too many is settled at once, and is neither written nor led."""
    waiting = Waiting(most=2)
    questions = [ask() for _ in range(4)]
    for question in questions:
        waiting.join(question)
    assert [question.trouble for question in questions] == [None, None, None, Trouble.FULL]
    waiting.leave(questions[3])
    assert waiting.take() == questions[:3]
    assert waiting.leader is questions[0]


def test_taking() -> None:
    """What is to be written comes in the order in which it was asked, a frame at a time."""
    waiting = Waiting()
    questions = [ask() for _ in range(MAX_CHECKS + 3)]
    for question in questions:
        waiting.join(question)
    questions[1].give_up(Trouble.BUSY)
    assert waiting.take() == [questions[0], *questions[2:MAX_CHECKS]]
    assert waiting.take() == questions[MAX_CHECKS:]
    assert waiting.take() == waiting.take_all() == []


def test_asking_again() -> None:
    """A question is asked again once, and before those that weren't asked yet."""
    waiting, first, second = Waiting(), ask(), ask()
    waiting.join(first)
    waiting.take()
    waiting.join(second)
    assert waiting.ask_again([first]) == []
    assert waiting.take_all() == [first, second]
    assert waiting.ask_again([first, second]) == [first]
    assert waiting.take() == [second]


@pytest.mark.parametrize("kill", [False, True])
@given(st.lists(st.sampled_from(["join", "leader", "follower", "answer"]), max_size=60))
def test_always_one_leader(kill: bool, steps: list[str]) -> None:
    """Whoever comes, is answered, gives up or is killed: somebody leads while somebody waits."""
    waiting = Waiting()
    here: list[Question] = []
    for step in steps:
        if step == "join":
            here.append(ask())
            waiting.join(here[-1])
            continue
        leaving = [it for it in here if (it is waiting.leader) == (step == "leader")][:1]
        for question in leaving:
            if step == "answer":
                question.fail(OSError())
                waiting.wake([question])
            elif not kill:
                question.give_up(Trouble.BUSY)
            waiting.leave(question)
            here.remove(question)
        assert (waiting.leader in here) if here else waiting.leader is None
