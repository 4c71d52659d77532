"""When a node that stands still again and again asks the others."""

import random

from hypothesis import given
from hypothesis import strategies as st

from sidegate.buckets.limits import SECOND
from sidegate_sidecar.cluster.place.backoff import CALM, FIRST, MAX_STEP, Backoff


def half(bound: int) -> int:
    """Stand for chance: the middle."""
    return bound // 2


def test_the_first_standstill_is_asked_about_at_once() -> None:
    backoff = Backoff(half)
    assert backoff.stood_still(7) == 7
    assert backoff.take(7)
    assert not backoff.take(8)


def test_each_question_that_was_followed_by_a_standstill_doubles_the_wait() -> None:
    backoff, now = Backoff(half), 0
    waits: list[int] = []
    for _ in range(12):
        waits.append(backoff.stood_still(now) - now)
        now += waits[-1]
        assert backoff.take(now)
    assert waits == [0, *(FIRST << step for step in range(9)), MAX_STEP, MAX_STEP]


def test_who_has_not_asked_yet_begins_to_wait_anew_and_no_longer() -> None:
    backoff = Backoff(half)
    backoff.stood_still(0)
    backoff.take(0)
    assert backoff.stood_still(1) == 1 + FIRST
    assert backoff.stood_still(FIRST) == 2 * FIRST
    assert not backoff.take(2 * FIRST - 1)
    assert backoff.take(2 * FIRST)


def test_after_a_calm_time_it_is_as_if_there_had_been_none() -> None:
    backoff = Backoff(half)
    for _ in range(2):
        backoff.take(backoff.stood_still(0))
    calm = CALM + 2 * FIRST
    assert backoff.stood_still(calm + 1) == calm + 1
    backoff.take(calm + 1)
    assert backoff.stood_still(calm + 2) > calm + 2


@given(st.lists(st.integers(1, 10 * SECOND), max_size=40), st.integers(0, 2**32))
def test_it_waits_at_most_one_and_a_half_times_the_most(gaps: list[int], seed: int) -> None:
    backoff, now = Backoff(random.Random(seed).randrange), 0
    for gap in gaps:
        now += gap
        due = backoff.stood_still(now)
        assert now <= due <= now + MAX_STEP * 3 // 2
        if seed % 2:
            backoff.take(due)
