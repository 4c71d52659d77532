"""What is in flight: each check is settled once, when a frame is overdue, who is silent."""

from collections.abc import Callable, Sequence
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidegate.link.in_flight import GRACE, Flight, InFlight, halves
from sidegate.protocol.codec import WireError
from sidegate.protocol.messages import Answers
from tests.support.in_process.linking import Asking

PATIENCE = 0.050
LATE = 10.0
BUDGET = PATIENCE


# One frame


class Asker:
    """Notes what it is told: the answer to each position, None for those that get none."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.told: dict[int, int | None] = {}
        self.refuses = False

    def answered(self, answers: Answers) -> None:
        if self.refuses:
            raise WireError("bad-message", "not to be understood")
        positions = range(self.count) if answers.positions is None else answers.positions
        for position, answer in zip(positions, answers.answers, strict=True):
            assert position not in self.told
            assert not isinstance(answer, str)
            self.told[position] = answer[0]

    def unanswered(self, positions: Sequence[int] | None) -> None:
        for position in range(self.count) if positions is None else positions:
            assert position not in self.told
            self.told[position] = None


def answers(positions: list[int] | None, *values: int) -> Answers:
    return Answers(7, "owner", "n", positions, [[value] for value in values])


def airborne(count: int) -> tuple[Flight, Asker]:
    asker = Asker(count)
    return Flight(asker, count), asker


class TestLanding:
    def test_an_answer_to_all_settles_all_in_their_order(self) -> None:
        flight, asker = airborne(3)
        assert flight.land(answers(None, 10, 11, 12)) == 3
        assert flight.left == 0
        assert asker.told == {0: 10, 1: 11, 2: 12}

    def test_parts_settle_the_positions_that_they_name_in_any_order(self) -> None:
        flight, asker = airborne(4)
        assert flight.land(answers([3, 0], 13, 10)) == 2
        assert flight.left == 2
        assert flight.land(answers([1], 11)) == 1
        assert flight.land(answers([], *())) == 0
        assert flight.land(answers([2], 12)) == 1
        assert flight.left == 0
        assert asker.told == {0: 10, 1: 11, 2: 12, 3: 13}

    @given(st.data())
    def test_each_gets_its_own_however_it_is_split(self, data: st.DataObject) -> None:
        count = data.draw(st.integers(1, 12))
        flight, asker = airborne(count)
        waiting = data.draw(st.permutations(range(count)))
        for size in data.draw(st.lists(st.integers(1, count))):
            if size > len(waiting):
                break
            part, waiting = waiting[:size], waiting[size:]
            assert flight.land(answers(part, *(100 + at for at in part))) == size
            assert flight.left == len(waiting)
        flight.crash()
        assert asker.told == {at: None if at in waiting else 100 + at for at in range(count)}

    @pytest.mark.parametrize(
        ("positions", "values"),
        [
            (None, 2),  # too few
            (None, 4),  # too many
            ([0], 2),  # another number than positions
            ([0, 1], 1),
            ([3], 1),  # beyond the end
            ([-1], 1),  # which Python would take for the last
            ([-3, 0], 2),
            ([2**63], 1),
            ([1, 1], 2),  # twice in one part
            ([1, 1], 1),
        ],
    )
    def test_misfits_are_told_to_nobody(self, positions: list[int] | None, values: int) -> None:
        flight, asker = airborne(3)
        with pytest.raises(WireError, match=r"don't fit.*\(bad-message\)"):
            flight.land(answers(positions, *range(values)))
        assert not asker.told
        assert flight.left == 3

    @pytest.mark.parametrize("positions", [[1], [0, 1], None])
    def test_a_second_answer_is_an_error(self, positions: list[int] | None) -> None:
        flight, asker = airborne(3)
        flight.land(answers([1], 11))
        with pytest.raises(WireError, match="don't fit"):
            flight.land(answers(positions, *range(3 if positions is None else len(positions))))
        assert asker.told == {1: 11}
        assert flight.left == 2


class TestCrash:
    @pytest.mark.parametrize("landed", [[], [1]], ids=["none", "a part"])
    def test_what_has_not_landed_gets_none(self, landed: list[int]) -> None:
        flight, asker = airborne(3)
        for at in landed:
            flight.land(answers([at], 11))
        flight.crash()
        assert asker.told == {at: 11 if at in landed else None for at in range(3)}

    @pytest.mark.parametrize("positions", [None, [0, 1, 2], [2]])
    def test_what_an_asker_cannot_take_is_still_open(self, positions: list[int] | None) -> None:
        flight, asker = airborne(3)
        asker.refuses = True
        with pytest.raises(WireError):
            flight.land(answers(positions, *range(3 if positions is None else len(positions))))
        assert flight.left == 3
        flight.crash()
        assert asker.told == {0: None, 1: None, 2: None}


class TestHalves:
    def test_answers_land_at_the_positions_in_the_list_that_was_asked(self) -> None:
        asker = Asker(5)
        first, second = halves(asker, 2, 5)
        Flight(second, 3).land(answers(None, 12, 13, 14))
        Flight(first, 2).land(answers([1], 11))
        assert asker.told == {1: 11, 2: 12, 3: 13, 4: 14}

    def test_so_does_the_news_that_there_is_none(self) -> None:
        asker = Asker(5)
        first, second = halves(asker, 2, 5)
        second.unanswered([0])
        first.unanswered(None)
        assert asker.told == {0: None, 1: None, 2: None}

    def test_a_half_may_be_halved_again(self) -> None:
        asker = Asker(8)
        _, second = halves(asker, 4, 8)
        _, last = halves(second, 2, 4)
        last.answered(answers(None, 16, 17))
        assert asker.told == {6: 16, 7: 17}


# All of a link


def app() -> InFlight:
    """Return what an app has in flight: nothing yet."""
    return InFlight(PATIENCE, LATE)


def node() -> InFlight:
    """Return the same of a node."""
    return InFlight(PATIENCE, 0.0)


def turns(frames: InFlight, at: float, length: float) -> tuple[float, list[int]]:
    """Run a loop whose turns take so long, and whose timer is set for `at`, until it is given up.

    Return when that is, and which frames are.
    """
    now = 100.0
    overdue: dict[int, Flight] = {}
    while not overdue:
        now = max(now + length, at)
        at, overdue = frames.wake(now)
    return now, [*overdue]


@pytest.mark.parametrize("of", [app, node])
def test_an_idle_loop_waits_for_one_budget(of: Callable[[], InFlight]) -> None:
    frames = of()
    at = frames.add(1, Asking(), 1, BUDGET, 100.0)
    assert at <= 100.0 + BUDGET
    end, overdue = turns(frames, at, 0.0)
    assert end == pytest.approx(100.0 + BUDGET)
    assert overdue == [1]
    assert frames.is_silent(end)
    assert frames.wake(end) == (inf, {})


@pytest.mark.parametrize("length", [0.005, 0.020, 0.1, 0.25])
def test_a_busy_loop_of_an_app_waits_for_more_turns_than_a_first_connection_takes(
    length: float,
) -> None:
    """And for no more of them than it takes to see that nobody answers."""
    frames = app()
    end, _ = turns(frames, frames.add(1, Asking(), 1, BUDGET, 100.0), length)
    assert 11 < (end - 100.0) / length < 40
    assert frames.is_silent(end)


@pytest.mark.parametrize("length", [1.0, 60.0])
def test_a_loop_that_is_too_late_is_not_waited_for(length: float) -> None:
    """The frame is given up, and nobody is blamed for it."""
    frames = app()
    end, overdue = turns(frames, frames.add(1, Asking(), 1, BUDGET, 100.0), length)
    assert 100.0 + LATE < end <= 100.0 + LATE + 1.0 + 2 * length
    assert overdue == [1]
    assert not frames.is_silent(end)


@pytest.mark.parametrize("length", [0.020, 1.0])
def test_a_node_goes_by_the_clock(length: float) -> None:
    frames = node()
    assert frames.add(1, Asking(), 1, BUDGET, 100.0) == pytest.approx(100.0 + BUDGET - GRACE)
    end = 100.0 + BUDGET + length
    assert frames.is_silent(end)
    assert frames.wake(end) == (end + GRACE, {})
    _, overdue = frames.wake(end + GRACE)
    assert [*overdue] == [1]


def test_what_is_already_there_is_read_before_a_frame_is_given_up() -> None:
    """A loop that comes too late reads the answer in the GRACE between two wakes."""
    frames = node()
    asking = Asking()
    frames.add(1, asking, 1, BUDGET, 100.0)
    at, _ = frames.wake(200.0)
    frames.land(Answers(1, "owner", "n", None, [[1]]))
    assert frames.wake(at) == (inf, {})
    assert asking.got == [[[1]]]


def test_a_new_frame_sets_the_timer_only_if_it_is_to_look_earlier() -> None:
    frames = node()
    assert frames.add(1, Asking(), 1, 0.2, 100.0) == pytest.approx(100.2 - GRACE)
    assert frames.add(2, Asking(), 1, 0.3, 100.0) == inf
    assert frames.add(3, Asking(), 1, 0.1, 100.0) == pytest.approx(100.1 - GRACE)


def test_a_word_of_the_other_side_ends_its_silence() -> None:
    frames = app()
    at = frames.add(1, Asking(), 1, BUDGET, 100.0)
    frames.heard()
    end, overdue = turns(frames, at, 0.0)
    assert overdue == [1]
    assert not frames.is_silent(end)


def test_a_frame_asked_in_a_late_turn_has_its_whole_budget() -> None:
    frames = app()
    asked = 101.0  # the loop has been busy since the first frame
    frames.add(1, Asking(), 1, BUDGET, 100.0)
    frames.add(2, Asking(), 1, BUDGET, asked)
    now, overdue = turns(frames, asked, 0.0)
    assert overdue == [1]
    now, overdue = turns(frames, now + GRACE, 0.0)
    assert overdue == [2]
    assert now > asked + BUDGET - 3 * GRACE


def test_only_what_is_overdue_is_taken_and_counts_until_it_is_given_up() -> None:
    frames = node()
    askings = {number: Asking(number) for number in (1, 2, 3)}
    for (number, asking), budget in zip(askings.items(), (0.1, 0.3, 0.2), strict=True):
        frames.add(number, asking, number, budget, 100.0)
    frames.wake(100.25)
    at, overdue = frames.wake(100.25 + GRACE)
    assert at == pytest.approx(100.3 - GRACE)
    assert [*overdue] == [1, 3]
    assert (len(frames), frames.checks) == (1, 6)
    frames.give_up(overdue.values())
    assert frames.checks == 2
    assert [asking.settled() for asking in askings.values()] == [True, False, True]


def test_what_lands_is_in_flight_no_more() -> None:
    frames = app()
    asking = Asking(2)
    frames.add(1, asking, 2, BUDGET, 100.0)
    with pytest.raises(WireError):
        frames.land(Answers(1, "owner", "n", None, [[1]]))
    assert frames.land(Answers(1, "owner", "n", None, [[1], [0]])) == 2
    assert frames.land(Answers(1, "owner", "n", None, [[1], [0]])) == 0  # too late: to nothing
    assert asking.got == [[[1]], [[0]]]
    assert (len(frames), frames.checks) == (0, 0)


def test_frames_taken_over_keep_their_deadlines_by_the_clock() -> None:
    """For who goes on with them has no listened time. Until they are settled they count twice."""
    frames = app()
    frames.add(1, Asking(2), 2, BUDGET, 100.0)
    parted = frames.part(100.0)
    assert parted.wake(100.0)[0] == pytest.approx(100.0 + BUDGET - GRACE)
    assert not frames.is_silent(200.0)
    assert (len(frames), frames.checks) == (0, 2)
    assert (len(parted), parted.checks) == (1, 2)
    frames.settle(parted.land(Answers(1, "owner", "n", [1], [[1]])))
    assert (frames.checks, parted.checks) == (1, 1)
