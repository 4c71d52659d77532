"""What was admitted is counted rightly, whoever admitted it."""

from bench.peers.admitted import Admitted
from bench.peers.asking.messages import Rate
from hypothesis import given, settings
from hypothesis import strategies as st

from sidegate.buckets.buckets import BucketTable
from sidegate.buckets.limits import parse_limits

SECOND = 10**9
RATE = Rate(100, 10)


def admitted_by(*allowed_at: int, until: int = 0) -> Admitted:
    """Note checks that took no time: one that is denied at 0, these, and one denied at the end."""
    seen = Admitted(RATE)
    seen.note(1, 1, allowed=False)
    for moment in allowed_at:
        seen.note(moment, moment, allowed=True)
    end = until or max(allowed_at)
    seen.note(end, end, allowed=False)
    return seen


def test_all_tokens_and_what_comes_back_are_due() -> None:
    """100 in 10 seconds: after 5 of them 150, which is 0 too many."""
    seen = admitted_by(*[5 * SECOND + 1] * 150)
    assert (seen.due, seen.too_many) == (150, 0)


def test_what_is_beyond_is_told_as_a_share() -> None:
    seen = admitted_by(*[5 * SECOND + 1] * 180)
    assert round(seen.too_many, 9) == 0.2


def test_too_few_is_less_than_nothing() -> None:
    seen = admitted_by(*[1] * 75, until=5 * SECOND + 1)
    assert seen.too_many == -0.5


def test_time_counts_from_the_first_question_to_the_last_answer() -> None:
    """Nobody is blamed for the time that answers take."""
    seen = Admitted(RATE)
    seen.note(5 * SECOND, 9 * SECOND, allowed=True)
    seen.note(1 * SECOND, 2 * SECOND, allowed=False)
    assert seen.due == 100 + 80


def test_no_answer_is_no_admission() -> None:
    seen = Admitted(RATE)
    seen.note(1, 2, allowed=None)
    assert (seen.asked, seen.errors, seen.allowed_at) == (1, 1, [])


def test_a_second_has_no_end_of_its_own() -> None:
    """Of 1, 1.7, 2.5 and 2.6 s the last three are within one second, wherever clocks tick."""
    tenths = (10, 17, 25, 26)
    assert admitted_by(*(it * SECOND // 10 for it in tenths)).most_in_a_second == 3


def test_what_is_a_whole_second_apart_is_not_within_one() -> None:
    assert admitted_by(SECOND, 2 * SECOND).most_in_a_second == 1


@settings(max_examples=30)
@given(st.lists(st.integers(1, 20 * SECOND), min_size=1, max_size=250))
def test_an_exact_bucket_never_admits_too_many(moments: list[int]) -> None:
    """Ours, asked at whatever moments."""
    table, limits, seen = BucketTable(), parse_limits("100/10 seconds"), Admitted(RATE)
    for moment in sorted(moments):
        seen.note(moment, moment, allowed=table.take("key", limits, 1, moment)[0])
    assert seen.too_many <= 0
