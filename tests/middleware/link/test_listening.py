"""Listened time: what of a stretch of time counts, by how late the loop was."""

import pytest

from sidegate.link.listening import LATE, ListenedTime

STEP = 0.25  # seconds; all figures here are whole in binary


def listened(*steps: tuple[float, float]) -> float:
    """Return how long was listened in steps, each as (when it is due, when it ends)."""
    clock, now = ListenedTime(STEP), 0.0
    for due, end in steps:
        clock.expect(now, now + due)
        now += end
    return clock.at(now)


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([], 0.0),
        ([(STEP, STEP)], STEP),
        ([(STEP, STEP + LATE / 2)], STEP + LATE / 2),  # a timer is never to the point
        ([(STEP, STEP / 2)], STEP / 2),  # set anew before it was due
        ([(STEP, 100.0)], STEP / 2),
        ([(STEP, 100.0)] * 6, 3 * STEP),
        ([(STEP, STEP), (STEP, 100.0), (STEP, STEP)], 2.5 * STEP),
        ([(0.0, 100.0)], STEP / 2),  # however short the step was to be: else it would never end
        ([(-1.0, LATE / 2)], LATE / 2),
    ],
    ids=str,
)
def test_a_step_counts_as_it_was_or_as_half_when_it_was_late(
    steps: list[tuple[float, float]], expected: float
) -> None:
    assert listened(*steps) == expected


def test_nothing_counts_while_nobody_listens() -> None:
    """Before the first step, and after the last."""
    clock = ListenedTime(STEP)
    assert clock.at(7.0) == 0.0
    clock.expect(7.0, 7.25)
    clock.stop(7.25)
    assert clock.at(9.0) == STEP
    clock.expect(10.0, 10.25)
    assert clock.at(10.125) == 1.5 * STEP


def test_what_is_late_does_not_count_before_it_ends_either() -> None:
    clock = ListenedTime(STEP)
    clock.expect(0.0, STEP)
    assert clock.at(50.0) == clock.at(100.0) == STEP / 2
