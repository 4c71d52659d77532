"""An exchange: each question is settled once, by its own answer, or is handed back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidegate.link.blocking.exchange import Exchange, Question
from sidegate.link.blocking.trouble import Trouble
from sidegate.protocol.codec import Framer, WireError, decode
from sidegate.protocol.messages import MAX_CHECKS, Answers, Checks, Message

STEP = 0.001
LATER = 100.0  # a deadline


def ask(count: int, prefix: str = "k") -> list[Question]:
    return [Question((f"{prefix}{at}", "5/minute", 1), 0.0) for at in range(count)]


def written(exchange: Exchange, questions: list[Question]) -> list[Checks]:
    """Write questions; return the frames."""
    frames = exchange.write(questions, 0.05, LATER)
    messages: list[Message] = [decode(body) for body in Framer().feed(frames)]
    assert all(isinstance(message, Checks) for message in messages)
    return [message for message in messages if isinstance(message, Checks)]


def answers(number: int, debts: list[int], positions: list[int] | None = None) -> Answers:
    return Answers(number, "owner", "n", positions, [[1, debt] for debt in debts])


def debts(questions: list[Question]) -> list[object]:
    return [question.answer[1] if question.answers else None for question in questions]


def listen(exchange: Exchange, seconds: float) -> None:
    for _ in range(round(seconds / STEP)):
        exchange.listening.add(STEP)


def test_questions_leave_in_one_frame_each_with_the_whole_budget() -> None:
    exchange, questions = Exchange(STEP), ask(3)
    (frame,) = written(exchange, questions)
    assert frame.checks == [question.check for question in questions]
    assert (frame.id, frame.hops, frame.budget) == (1, 0, 50_000)
    assert written(exchange, ask(1))[0].id == 2
    assert not exchange.is_idle


def test_what_does_not_fit_into_a_frame_leaves_in_several() -> None:
    exchange = Exchange(STEP)
    questions = [Question((f"{at:0512}", "5/minute", 1), 0.0) for at in range(MAX_CHECKS)]
    frames = written(exchange, questions)
    assert len(frames) > 1
    for frame in frames:
        first = int(frame.checks[0][0])
        exchange.land(answers(frame.id, list(range(first, first + len(frame.checks)))))
    assert debts(questions) == list(range(MAX_CHECKS))
    assert exchange.is_idle


@given(st.data())
def test_each_question_gets_its_own_answer_once(data: st.DataObject) -> None:
    sizes = data.draw(st.lists(st.integers(1, 6), min_size=1, max_size=4))
    exchange = Exchange(STEP)
    frames = [ask(size, f"f{at}-") for at, size in enumerate(sizes)]
    for questions in frames:
        written(exchange, questions)
    todo = data.draw(
        st.permutations(
            [(at, position) for at, size in enumerate(sizes) for position in range(size)]
        )
    )
    for at, position in todo:
        settled = exchange.land(answers(at + 1, [10 * at + position], [position]))
        assert settled == [frames[at][position]]
    assert [debts(questions) for questions in frames] == [
        [10 * at + position for position in range(size)] for at, size in enumerate(sizes)
    ]
    assert exchange.is_idle


@pytest.mark.parametrize(
    ("positions", "count"), [([5], 1), ([0, 0], 2), ([-1], 1), (None, 3), ([0], 2), ([0, 1], 1)]
)
def test_answers_that_do_not_fit_leave_all_open(positions: list[int] | None, count: int) -> None:
    exchange, questions = Exchange(STEP), ask(2)
    written(exchange, questions)
    with pytest.raises(WireError):
        exchange.land(answers(1, [7] * count, positions))
    assert exchange.abandon() == questions


def test_an_answer_for_who_has_given_up_is_for_nobody() -> None:
    exchange, (first, second) = Exchange(STEP), ask(2)
    written(exchange, [first, second])
    first.give_up(Trouble.BUSY)
    assert exchange.land(answers(1, [1, 2])) == [second]
    assert exchange.land(answers(1, [1, 2])) == exchange.land(answers(99, [1])) == []
    assert (first.answers, first.trouble) == (None, Trouble.BUSY)


def test_silence_counts_for_the_oldest_question_while_there_is_one() -> None:
    exchange = Exchange(STEP)
    listen(exchange, 0.05)
    assert exchange.silence == exchange.waited == 0.0
    written(exchange, ask(1))
    listen(exchange, 0.02)
    written(exchange, ask(1))
    listen(exchange, 0.02)
    assert exchange.silence == exchange.waited == pytest.approx(0.04)
    exchange.listening.heard()
    listen(exchange, 0.01)
    assert exchange.silence == pytest.approx(0.01)
    assert exchange.waited == pytest.approx(0.05)
    exchange.land(answers(1, [1]))
    assert exchange.silence == exchange.waited == 0.0


def test_overdue() -> None:
    """While checks are answered the others wait; when none is for long enough they are given up."""
    exchange = Exchange(STEP)
    frames = [ask(1) for _ in range(3)]
    for questions in frames:
        written(exchange, questions)
    listen(exchange, 0.04)
    exchange.land(answers(1, [1]))
    listen(exchange, 0.04)
    late = ask(1)
    written(exchange, late)
    listen(exchange, 0.005)
    assert exchange.overdue(0.05, 0.0) == []
    listen(exchange, 0.01)
    assert exchange.overdue(0.05, 0.0) == [*frames[1], *frames[2]]
    assert exchange.overdue(0.05, 0.0) == []
    assert exchange.overdue(0.05, LATER) == late
    assert exchange.is_idle


def test_when_the_line_is_lost_unanswered_questions_are_handed_back() -> None:
    exchange, questions = Exchange(STEP), ask(3)
    written(exchange, questions)
    before = exchange.has_answered
    exchange.land(answers(1, [5], [1]))
    assert (before, exchange.has_answered) == (False, True)
    assert exchange.abandon() == [questions[0], questions[2]]
    assert exchange.is_idle
