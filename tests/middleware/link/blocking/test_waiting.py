"""Who leads and who follows: there is one leader while anybody waits, and nobody is forgotten."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidegate.link.blocking.exchange import Question
from sidegate.link.blocking.trouble import Trouble
from sidegate.link.blocking.waiting import Waiting
from sidegate.protocol.messages import MAX_CHECKS


def ask(name: str = "k") -> Question:
    return Question((name, "5/minute", 1), 0.0)


def test_who_finds_nobody_leads_and_who_comes_later_waits() -> None:
    waiting, first, second = Waiting(), ask(), ask()
    assert waiting.join(first) is None
    wake = waiting.join(second)
    assert wake is not None
    assert wake.locked()
    assert waiting.leader is first
    assert waiting.oldest is second


def test_a_leader_that_leaves_wakes_the_latest_follower_who_leads_now() -> None:
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


def test_who_has_an_answer_is_woken_and_is_never_made_the_leader() -> None:
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


def test_a_follower_gives_up_unless_it_leads_or_is_answered_just_then() -> None:
    waiting, leader, second, third = Waiting(), ask(), ask(), ask()
    for question in (leader, second, third):
        waiting.join(question)
    third.fail(OSError())
    waiting.give_up(third, Trouble.BUSY)
    waiting.give_up(second, Trouble.BUSY)
    waiting.give_up(leader, Trouble.BUSY)
    assert [question.trouble for question in (leader, second, third)] == [None, Trouble.BUSY, None]


def test_a_follower_too_many_is_settled_at_once_and_never_written() -> None:
    waiting = Waiting(most=2)
    questions = [ask() for _ in range(4)]
    for question in questions:
        waiting.join(question)
    assert [question.trouble for question in questions] == [None, None, None, Trouble.FULL]
    waiting.leave(questions[3])
    assert waiting.take() == questions[:3]
    assert waiting.leader is questions[0]


def test_what_is_to_be_written_comes_in_its_order_a_frame_at_a_time() -> None:
    waiting = Waiting()
    questions = [ask() for _ in range(MAX_CHECKS + 3)]
    for question in questions:
        waiting.join(question)
    questions[1].give_up(Trouble.BUSY)
    assert waiting.take() == [questions[0], *questions[2:MAX_CHECKS]]
    assert waiting.take() == questions[MAX_CHECKS:]
    assert waiting.take() == waiting.take_all() == []


def test_a_question_is_asked_again_once_and_before_new_ones() -> None:
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
def test_whatever_happens_somebody_leads_while_somebody_waits(kill: bool, steps: list[str]) -> None:
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
