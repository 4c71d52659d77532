"""Priority: who matters less leaves some of each bucket to those who matter more, exactly."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidegate.buckets.buckets import BucketTable
from sidegate.buckets.decision import Decision, Source
from sidegate.buckets.limits import Limits, parse_limits
from sidegate.errors import CostError, LimitError
from tests.middleware.buckets.model import BucketModel

SECOND = 10**9
START = 10**15


def spend(table: BucketTable, text: str, times: int, now: int = START) -> int:
    limits = parse_limits(text)
    return sum(table.take("k", limits, 1, now)[0] for _ in range(times))


@pytest.mark.parametrize("text", ["10/hour", "10/day window"])
@pytest.mark.parametrize("first", ["low", "high"])
def test_one_bucket_of_which_the_lower_class_sees_less(text: str, first: str) -> None:
    """Whoever was first to ask, and made the bucket."""
    table = BucketTable()
    if first == "high":
        assert spend(table, text, 1) == 1
    assert spend(table, f"{text} keep 20%", 10) == (8 if first == "low" else 7)
    assert spend(table, text, 10) == 2
    assert spend(table, f"{text} keep 20%", 10) == 0
    assert [limit.text for limit, _ in table.held("k", START)] == [text]


def test_what_comes_back_goes_to_the_higher_class_first() -> None:
    table = BucketTable()
    assert spend(table, "10/second", 10) == 10
    fifth = START + SECOND // 5
    assert spend(table, "10/second keep 20%", 1, fifth) == 0
    assert spend(table, "10/second", 1, fifth) == 1
    assert spend(table, "10/second keep 20%", 1, fifth + SECOND // 5) == 1


def test_a_decision_tells_of_what_its_class_sees() -> None:
    table, limits = BucketTable(), parse_limits("10/second keep 20%")
    spend(table, limits.text, 7)
    allowed, debts = table.take("k", limits, 1, START)
    decision = Decision(allowed, limits, 1, debts, Source.OWNER)
    assert (decision.limit, decision.remaining, decision.retry_after) == (8, 0, 0)
    allowed, debts = table.take("k", limits, 1, START)
    decision = Decision(allowed, limits, 1, debts, Source.OWNER)
    assert (decision.allowed, decision.retry_after) == (False, 0.1)


def test_a_cost_above_what_is_left_is_an_error() -> None:
    with pytest.raises(CostError, match="cost 9: expected 0 to 8"):
        BucketTable().take("k", parse_limits("10/hour keep 20%"), 9, START)


def test_what_is_given_back_or_charged_unasked_is_of_the_whole_bucket() -> None:
    table, low = BucketTable(), parse_limits("10/hour keep 50%")
    spend(table, "10/hour", 10)
    table.refund("k", low, 1, START)
    assert spend(table, "10/hour", 2) == 1
    table.owe("k", low, 5, START)
    assert spend(table, "10/hour", 1, START + 1_800 * SECOND) == 0
    assert spend(table, "10/hour", 2, START + 2_160 * SECOND) == 1


def test_a_limit_that_changed_is_carried_over_whole() -> None:
    table = BucketTable()
    spend(table, parse_limits("10/hour").carrying().asked, 4)
    new = parse_limits("100/hour keep 50%").carrying()
    assert sum(table.take("k", new, 1, START)[0] for _ in range(100)) == 10
    assert spend(table, "100/hour", 100) == 50


def test_divided_each_keeps_its_part_if_that_is_anything() -> None:
    limits = parse_limits("100/minute keep 20%; 9/hour keep 50%")
    assert limits.divided(10).text == "10/minute keep 20%; 9/10 hours burst 1"
    same = parse_limits("2/2 minutes burst 4; 2/2 minutes burst 5 keep 20%")
    assert same.divided(4).text == "1/4 minutes"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("10/minute keep", 'expected a percentage as in "keep 20%", not "keep"'),
        ("10/minute keep 20", 'expected a percentage as in "keep 20%", not "keep 20"'),
        ("10/minute keep 100%", "keep 100%: of 10 no whole token is left to take"),
        ("1/minute keep 1%", "keep 1%: of 1 no whole token is left to take"),
        ("10/minute; 10/minute keep 20%", 'the same as "10/minute" before it'),
    ],
)
def test_what_makes_no_sense_is_named(text: str, why: str) -> None:
    with pytest.raises(LimitError, match=why):
        parse_limits(text)


def test_all_that_is_written_is_read_again() -> None:
    for text in (
        "10/minute keep 20%",
        "10/day window Europe/Berlin keep 5%",
        "9/s burst 20 keep 1%",
    ):
        limits = parse_limits(text)
        assert parse_limits(limits.text) == limits
        assert parse_limits(limits.carrying().asked).text == limits.text
    assert parse_limits("10/minute keep 20%").items[0] != parse_limits("10/minute burst 8").items[0]


@given(
    st.lists(st.tuples(st.sampled_from([0, 20, 50]), st.integers(0, SECOND)), max_size=60),
)
def test_each_class_has_what_exact_fractions_say(steps: list[tuple[int, int]]) -> None:
    """A class passes where what would be left is no less than what it keeps."""
    table, model, now = BucketTable(), BucketModel(), START
    whole = parse_limits("7/second")
    for kept, pause in steps:
        now += pause
        asked = parse_limits(f"7/second keep {kept}%") if kept else whole
        left = model.level("k", whole.items[0], now)
        allowed = left - 1 >= Fraction(7 * kept, 100)
        assert table.take("k", Limits(asked.items), 1, now)[0] is allowed
        if allowed:
            model.take("k", whole, 1, now)
