"""What is given back of a decision, and what becomes of checks that are made together."""

import pytest

from sidegate.buckets.decision import Decision, Source
from sidegate.buckets.limits import Limits, parse_limits
from sidegate.client.answers import all_or_none
from sidegate.client.checks import MAX_TOGETHER, questions, refund_of
from sidegate.errors import CheckError, CostError, KeyTooLong, LimitError

TWO = parse_limits("5/minute; 100/hour")
GIVEN = {Source.OWNER, Source.BACKUP, Source.LEASE, Source.MEMORY}


def decided(
    *, allowed: bool = True, cost: int = 2, source: Source = Source.OWNER, limits: Limits = TWO
) -> Decision:
    return Decision(allowed, limits, cost, [1] * len(limits), source)


@pytest.mark.parametrize("source", Source)
def test_only_who_keeps_the_buckets_can_give_back(source: Source) -> None:
    given = refund_of("k", decided(source=source), None)
    assert given == ((("k", TWO.text, 2), TWO) if source in GIVEN else None)


def test_what_charged_nothing_gives_nothing_back() -> None:
    assert refund_of("k", decided(allowed=False), None) is None
    assert refund_of("k", decided(cost=0), None) is None


def test_some_limits_of_a_check_are_given_back() -> None:
    hour = parse_limits("100/hour")
    assert refund_of("k", decided(), hour) == (("k", "100/hour", 2), hour)
    with pytest.raises(ValueError, match=r"limits='100/day': '100/day' isn't one of the decision"):
        refund_of("k", decided(), parse_limits("100/day"))


def test_a_key_that_no_check_can_have_is_refused() -> None:
    with pytest.raises(KeyTooLong):
        refund_of("k" * 513, decided(), None)


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (("k", "5/eon", 1), LimitError),
        (("k", "5/minute", 6), CostError),
        (("k" * 513, "5/minute", 1), KeyTooLong),
    ],
)
def test_one_check_that_cannot_be_asked_stops_all(
    wrong: tuple[str, str, int], error: type[Exception]
) -> None:
    with pytest.raises(error):
        questions([("k", "5/minute", 1), wrong])


def test_there_are_as_many_as_one_request_may_need() -> None:
    assert len(questions([("k", TWO, 1)] * MAX_TOGETHER)) == MAX_TOGETHER
    with pytest.raises(ValueError, match="65 checks: expected at most 64 together"):
        questions([("k", TWO, 1)] * (MAX_TOGETHER + 1))


def test_all_are_charged_or_none() -> None:
    """One that is denied, or can't be decided, has the others given back."""
    given: list[tuple[str, Decision]] = []

    def refund(key: str, decision: Decision) -> None:
        given.append((key, decision))

    yes, no = decided(), decided(allowed=False)
    assert all_or_none("ab", [yes, yes], refund) == [yes, yes]
    assert given == []
    assert all_or_none("ab", [yes, no], refund) == [yes, no]
    assert given == [("a", yes), ("b", no)]  # of a denial nothing is given back
    given.clear()
    with pytest.raises(CheckError, match="why"):
        all_or_none("abc", [yes, CheckError("why"), no], refund)
    assert given == [("a", yes), ("c", no)]
