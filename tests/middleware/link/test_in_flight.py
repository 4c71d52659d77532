"""What is in flight: when a frame is overdue, and when the other side is silent."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

import pytest

from sidegate.link.in_flight import GRACE, InFlight
from sidegate.protocol.codec import WireError
from sidegate.protocol.messages import Answers
from tests.support.in_process.linking import Asking

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE = 0.050
LATE = 10.0
BUDGET = PATIENCE


def app() -> InFlight:
    """Return what an app has in flight: nothing yet."""
    return InFlight(PATIENCE, LATE)


def node() -> InFlight:
    """Return the same of a node."""
    return InFlight(PATIENCE, 0.0)


def turns(frames: InFlight, now: float, length: float) -> float:
    """Run a loop whose turns take so long until a frame is overdue; return when that is."""
    while not frames.is_due(now):
        at = frames.next_look(now)
        frames.expect(now, at)
        now = max(now + length, at)
    return now


@pytest.mark.parametrize("of", [app, node])
def test_an_idle_loop_waits_for_one_budget(of: Callable[[], InFlight]) -> None:
    frames = of()
    assert frames.add(1, Asking(), 1, BUDGET, 100.0) <= 100.0 + BUDGET
    end = turns(frames, 100.0, 0.0)
    assert end == pytest.approx(100.0 + BUDGET - GRACE)
    assert frames.is_silent(end)
    assert list(frames.take_overdue(end)) == [1]
    assert frames.next_look(end) == inf


@pytest.mark.parametrize("length", [0.005, 0.020, 0.1, 0.25])
def test_a_busy_loop_of_an_app_waits_for_more_turns_than_a_first_connection_takes(
    length: float,
) -> None:
    """And for no more of them than it takes to see that nobody answers."""
    frames = app()
    frames.add(1, Asking(), 1, BUDGET, 100.0)
    end = turns(frames, 100.0, length)
    assert 11 < (end - 100.0) / length < 40
    assert frames.is_silent(end)


@pytest.mark.parametrize("length", [1.0, 60.0])
def test_a_loop_that_is_too_late_is_not_waited_for(length: float) -> None:
    """The frame is given up, and nobody is blamed for it."""
    frames = app()
    frames.add(1, Asking(), 1, BUDGET, 100.0)
    end = turns(frames, 100.0, length)
    assert 100.0 + LATE < end <= 100.0 + LATE + 1.0 + length
    assert list(frames.take_overdue(end)) == [1]
    assert not frames.is_silent(end)


@pytest.mark.parametrize("length", [0.020, 1.0])
def test_a_node_goes_by_the_clock(length: float) -> None:
    frames = node()
    frames.add(1, Asking(), 1, BUDGET, 100.0)
    frames.expect(100.0, 100.0 + BUDGET - GRACE)
    end = 100.0 + BUDGET + length
    assert frames.is_silent(end)
    assert list(frames.take_overdue(end)) == [1]


def test_a_word_of_the_other_side_ends_its_silence() -> None:
    frames = app()
    frames.add(1, Asking(), 1, BUDGET, 100.0)
    frames.heard()
    end = turns(frames, 100.0, 0.0)
    assert frames.is_due(end)
    assert not frames.is_silent(end)


def test_a_frame_asked_in_a_late_turn_has_its_whole_budget() -> None:
    frames = app()
    frames.add(1, Asking(), 1, BUDGET, 100.0)
    frames.expect(100.0, 100.003)
    frames.add(2, Asking(), 1, BUDGET, 101.0)  # the loop has been busy all the while
    frames.expect(101.0, 101.003)
    assert frames.take_overdue(101.0 + BUDGET - 3 * GRACE).keys() <= {1}


def test_only_what_is_overdue_is_taken_and_counts_until_it_is_settled() -> None:
    frames = node()
    for number, budget in ((1, 0.1), (2, 0.3), (3, 0.2)):
        frames.add(number, Asking(number), number, budget, 100.0)
    assert [*frames.take_overdue(100.25)] == [1, 3]
    assert (len(frames), frames.checks) == (1, 6)
    assert frames.next_look(100.25) == pytest.approx(100.3 - GRACE)


def test_what_lands_is_in_flight_no_more() -> None:
    frames = app()
    asking = Asking(2)
    frames.add(1, asking, 2, BUDGET, 100.0)
    with pytest.raises(WireError):
        frames.land(Answers(1, "owner", "n", None, [[1]]))
    frames.land(Answers(1, "owner", "n", None, [[1], [0]]))
    frames.land(Answers(1, "owner", "n", None, [[1], [0]]))  # too late: to nothing
    assert asking.got == [[[1]], [[0]]]
    assert (len(frames), frames.checks) == (0, 0)


def test_frames_taken_over_keep_their_deadlines_by_the_clock() -> None:
    """For who goes on with them has no listened time."""
    frames = app()
    frames.add(1, Asking(), 1, BUDGET, 100.0)
    assert [it.deadline for it in frames.take_all(100.0).values()] == [
        pytest.approx(100.0 + BUDGET - GRACE)
    ]
    assert not frames.is_silent(200.0)
    assert len(frames) == 0
