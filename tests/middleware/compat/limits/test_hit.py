"""What a hit of theirs asks for, and what is made of the answer."""

import math
from fractions import Fraction

import pytest

from sidegate.buckets.decision import Decision, Source
from sidegate.buckets.limits import parse_limits
from sidegate.compat.limits.hit import Hit, HitAnswer, bucket_key, whole

TEN = parse_limits("10/minute")


def answer(wanted: int, decision: Decision) -> HitAnswer:
    return HitAnswer(Hit("limits:a", TEN, 10, wanted), decision, 1000.0)


@pytest.mark.parametrize(
    ("cost", "tokens"),
    [
        (0, 0),
        (1, 1),
        (1.5, 2),
        (0.1, 1),
        (Fraction(7, 3), 3),
        (True, 1),
        (math.inf, 10**12 + 1),
        (10**30, 10**12 + 1),
    ],
)
def test_a_fraction_counts_as_a_whole_token(cost: object, tokens: int) -> None:
    """And what is above each limit stays above it."""
    assert whole(cost) == tokens


@pytest.mark.parametrize("cost", [-1, -0.5, math.nan, "2", None])
def test_a_cost_that_is_none_is_named(cost: object) -> None:
    with pytest.raises(ValueError, match=rf"cost={cost!r}: expected a number from 0 up"):
        whole(cost)


def test_what_can_never_pass_is_only_looked_at() -> None:
    assert [Hit("limits:a", TEN, 10, wanted).cost for wanted in (0, 10, 11)] == [0, 10, 0]


def test_what_can_never_pass_is_denied_though_a_look_is_allowed() -> None:
    looked = answer(11, Decision(True, TEN, 0, [0], Source.OWNER))
    assert not looked.allowed
    assert (looked.used, looked.remaining, looked.count) == (0, 10, 11)


def test_the_count_is_above_the_limit_where_it_was_denied() -> None:
    minute = 60 * 10**9
    denied = answer(3, Decision(False, TEN, 3, [minute * 8 // 10], Source.OWNER))
    assert (denied.used, denied.remaining, denied.count) == (8, 2, 11)
    assert denied.reset_at == 1048.0


def test_without_an_answer_nothing_is_spent_or_all() -> None:
    opened = answer(1, Decision(True, TEN, 1, [], Source.OPEN))
    assert (opened.allowed, opened.used, opened.count, opened.reset_at) == (True, 0, 1, 1000.0)
    closed = answer(1, Decision(False, TEN, 1, [], Source.CLOSED))
    assert (closed.allowed, closed.used, closed.count, closed.reset_at) == (False, 10, 11, 1000.0)


def test_a_share_never_counts_as_more_than_the_limit() -> None:
    """A process that decides alone has a part of the limit, of which it says what is left."""
    share = TEN.divided(5)
    alone = answer(1, Decision(True, share, 1, [60 * 10**9], Source.LOCAL))
    assert (alone.used, alone.count) == (10, 10)


def test_a_whole_window_is_told_as_a_little_less() -> None:
    """Their strategy for sliding windows takes the rest by the length, and would have 0."""
    spent = answer(10, Decision(True, TEN, 10, [60 * 10**9], Source.OWNER))
    assert spent.as_sliding(60) == (0, 0.0, 10, 60 - 1e-6)


@pytest.mark.parametrize("key", ["x" * 600, "ü" * 260, "a\nb", "half a pair: \ud800"])
def test_a_key_that_none_can_be_is_hashed(key: str) -> None:
    made = bucket_key("limits", key)
    assert made.startswith("limits:sha256=")
    assert len(made) == len("limits:sha256=") + 32


@pytest.mark.parametrize("key", ["LIMITER/127.0.0.1/10/1/minute", "é" * 252, "x" * 505])
def test_other_keys_stay_as_they_are(key: str) -> None:
    assert bucket_key("limits", key) == f"limits:{key}"
