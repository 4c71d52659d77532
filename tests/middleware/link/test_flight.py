"""A frame of checks on its way: each check is settled once, whatever comes back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidegate.link.in_flight import Flight, halves
from sidegate.protocol.messages import Answers, WireError

if TYPE_CHECKING:
    from collections.abc import Sequence


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
    def test_whole(self) -> None:
        """An answer to all settles all, in their order."""
        flight, asker = airborne(3)
        assert flight.land(answers(None, 10, 11, 12)) == 3
        assert flight.left == 0
        assert asker.told == {0: 10, 1: 11, 2: 12}

    def test_parts(self) -> None:
        """Parts settle the positions that they name, in any order."""
        flight, asker = airborne(4)
        assert flight.land(answers([3, 0], 13, 10)) == 2
        assert flight.left == 2
        assert flight.land(answers([1], 11)) == 1
        assert flight.land(answers([], *())) == 0
        assert flight.land(answers([2], 12)) == 1
        assert flight.left == 0
        assert asker.told == {0: 10, 1: 11, 2: 12, 3: 13}

    @given(st.data())
    def test_any_parts(self, data: st.DataObject) -> None:
        """However a frame is split, each check gets its own answer, and the rest gets none."""
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
    def test_misfit(self, positions: list[int] | None, values: int) -> None:
        """Answers that don't fit are an error, and nobody is told any of them."""
        flight, asker = airborne(3)
        with pytest.raises(WireError, match=r"don't fit.*\(bad-message\)"):
            flight.land(answers(positions, *range(values)))
        assert not asker.told
        assert flight.left == 3

    @pytest.mark.parametrize("positions", [[1], [0, 1], None])
    def test_settled_before(self, positions: list[int] | None) -> None:
        """A second answer to the same check is an error, also within an answer to all."""
        flight, asker = airborne(3)
        flight.land(answers([1], 11))
        with pytest.raises(WireError, match="don't fit"):
            flight.land(answers(positions, *range(3 if positions is None else len(positions))))
        assert asker.told == {1: 11}
        assert flight.left == 2


class TestCrash:
    def test_at_once(self) -> None:
        """Without any answer all checks get none."""
        flight, asker = airborne(2)
        flight.crash()
        assert asker.told == {0: None, 1: None}

    def test_after_a_part(self) -> None:
        """After a part only the rest does."""
        flight, asker = airborne(3)
        flight.land(answers([1], 11))
        flight.crash()
        assert asker.told == {0: None, 1: 11, 2: None}

    @pytest.mark.parametrize("positions", [None, [0, 1, 2], [2]])
    def test_answers_that_the_asker_cannot_take(self, positions: list[int] | None) -> None:
        """Checks whose answers made no sense to the asker are still open: none is forgotten."""
        flight, asker = airborne(3)
        asker.refuses = True
        with pytest.raises(WireError):
            flight.land(answers(positions, *range(3 if positions is None else len(positions))))
        assert flight.left == 3
        flight.crash()
        assert asker.told == {0: None, 1: None, 2: None}


class TestHalves:
    def test_answers(self) -> None:
        """Answers to two frames land at the positions in the one list that was asked."""
        asker = Asker(5)
        first, second = halves(asker, 2, 5)
        Flight(second, 3).land(answers(None, 12, 13, 14))
        Flight(first, 2).land(answers([1], 11))
        assert asker.told == {1: 11, 2: 12, 3: 13, 4: 14}

    def test_no_answers(self) -> None:
        """So does the news that there is none."""
        asker = Asker(5)
        first, second = halves(asker, 2, 5)
        second.unanswered([0])
        first.unanswered(None)
        assert asker.told == {0: None, 1: None, 2: None}

    def test_halves_of_halves(self) -> None:
        """A half may be halved again."""
        asker = Asker(8)
        _, second = halves(asker, 4, 8)
        _, last = halves(second, 2, 4)
        last.answered(answers(None, 16, 17))
        assert asker.told == {6: 16, 7: 17}
