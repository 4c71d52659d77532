"""Answers as decisions."""

import pytest

from sidegate.buckets.buckets import BucketTable
from sidegate.buckets.decision import Source
from sidegate.buckets.limits import parse_limits
from sidegate.client.answers import decision
from sidegate.client.unreachable.fallback import Fallback
from sidegate.errors import CheckError
from sidegate.protocol.codec import WireError
from sidegate.protocol.messages import Answer, Answers
from tests.middleware.golden import MESSAGES

MINUTE = parse_limits("5/minute")
TWO = parse_limits("100/second; 10000/hour")


def golden(name: str) -> Answers:
    message = MESSAGES[name]
    assert isinstance(message, Answers)
    return message


def answers(source: str, answer: Answer, parts: int = 1) -> Answers:
    return Answers(7, source, "n", None, [answer], parts)


def test_the_answers_in_protocol_md_say_what_it_says_about_them() -> None:
    both = golden("Answers to all")
    first = decision(both, both.answers[0], MINUTE, 1)
    assert (first.allowed, first.remaining, first.reset_after) == (True, 4, 12.0)
    assert (first.source, first.node) == (Source.OWNER, "node-a")
    second = decision(both, both.answers[1], TWO, 2)
    assert (second.allowed, second.remaining, second.retry_after) == (False, 1, 0.01)
    assert [second.retry_of(at) for at in (0, 1)] == [0.01, 0.0]


def test_limits_that_were_divided_are_those_of_the_decision() -> None:
    part = golden("Answers to some")
    decided = decision(part, part.answers[0], TWO, 2)
    assert decided.limits == TWO.divided(3)
    assert [decided.remaining_of(at) for at in (0, 1)] == [31, 3331]


def test_cost_above_the_share() -> None:
    """A cost that was charged as the whole share counts as that, so the wait is one that ends."""
    share = Fallback("local", BucketTable())
    told = [share.answer("k", MINUTE, 5, 3, 10**15) for _ in range(2)]
    decided = [decision(answers("local", [*answer], 3), [*answer], MINUTE, 5) for answer in told]
    assert [one.allowed for one in decided] == [True, False]
    assert [one.cost for one in decided] == [1, 1]
    assert decided[1].retry_after == 36.0


@pytest.mark.parametrize("source", ["open", "closed"])
def test_no_debts_are_fine_where_nobody_knows_them(source: str) -> None:
    decided = decision(answers(source, [1]), [1], TWO, 1)
    assert (decided.remaining, decided.reset_after, decided.source) == (None, None, source)


def test_a_text_is_why_the_check_cannot_be_decided() -> None:
    with pytest.raises(CheckError, match="cost 6"):
        decision(answers("owner", "cost 6: expected 0 to 5"), "cost 6: expected 0 to 5", MINUTE, 6)


@pytest.mark.parametrize(
    ("source", "answer", "text"),
    [
        ("oracle", [1, 5, 5], "source 'oracle'"),
        ("", [1, 5, 5], "source ''"),
        ("owner", [1, 5], "1 debts for '.*'"),
        ("owner", [1, 5, 5, 5], "3 debts for '.*'"),
    ],
)
def test_what_fits_no_check_is_a_wire_error(source: str, answer: list[int], text: str) -> None:
    with pytest.raises(WireError, match=rf"{text} \(bad-message\)"):
        decision(answers(source, [*answer]), [*answer], TWO, 1)


def test_every_source_but_this_process_s_memory_may_come_over_the_wire() -> None:
    for source in Source:
        if source is not Source.REMEMBERED:
            assert decision(answers(source, [1]), [1], MINUTE, 1).source is source
