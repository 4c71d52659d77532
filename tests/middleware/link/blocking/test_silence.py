"""Listening: only the time in which we could have heard something counts as silence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidegate.link.blocking.silence import MAX_COUNTED, Listening

STEP = 0.001

elapsed = st.floats(0.0, 100.0)


@given(st.lists(elapsed, max_size=50))
def test_a_step_counts_no_more_than_it_should_take(steps: list[float]) -> None:
    """However long this process was away, the clock moves on by a step and a half at most."""
    listening = Listening(STEP)
    for step in steps:
        before = listening.now
        listening.add(step)
        assert 0 <= listening.now - before <= min(step, MAX_COUNTED * STEP) + 1e-9
    assert listening.silence(0.0) == listening.now <= len(steps) * MAX_COUNTED * STEP + 1e-9


@pytest.mark.parametrize(
    ("heard_at", "answered_at", "since", "silence", "without_answers"),
    [
        (None, None, 0.000, 0.010, 0.010),
        (None, None, 0.004, 0.006, 0.006),  # it was asked later
        (0.007, None, 0.004, 0.003, 0.006),
        (0.002, None, 0.004, 0.006, 0.006),  # heard before it was asked
        (None, 0.007, 0.004, 0.003, 0.003),  # an answer is also something heard
        (0.008, 0.005, 0.001, 0.002, 0.005),
    ],
)
def test_silence_begins_anew_with_each_word_and_a_wait_with_each_answer(
    heard_at: float | None,
    answered_at: float | None,
    since: float,
    silence: float,
    without_answers: float,
) -> None:
    listening = Listening(STEP)
    for at in range(10):
        if answered_at == at / 1000:
            listening.answered()
        if heard_at == at / 1000:
            listening.heard()
        listening.add(STEP)
    assert listening.silence(since) == pytest.approx(silence)
    assert listening.without_answers(since) == pytest.approx(without_answers)
