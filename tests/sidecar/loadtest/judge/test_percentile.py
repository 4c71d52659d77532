"""Percentiles by their definition."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidegate_sidecar.loadtest.judge.percentile import percentile, times

VALUES = st.lists(st.floats(0, 1e6), min_size=1).map(sorted)


@pytest.mark.parametrize(
    ("percent", "value"), [(0, 1), (10, 1), (10.1, 2), (50, 5), (90, 9), (99, 10), (100, 10)]
)
def test_a_percentile_is_one_of_the_values(percent: float, value: int) -> None:
    """The least that so many percent are not above."""
    assert percentile(range(1, 11), percent) == value


def test_rounding_does_not_move_it() -> None:
    """99.9 % of 1000 are 999, though as floating point they are a little more."""
    assert percentile(range(1, 1001), 99.9) == 999


@given(VALUES, st.floats(0.001, 100))
def test_so_many_percent_are_not_above_and_fewer_are_below(
    values: list[float], percent: float
) -> None:
    found = percentile(values, percent)
    enough = len(values) * percent / 100
    assert sum(value <= found for value in values) >= enough - 1e-6
    assert sum(value < found for value in values) < enough + 1e-6


def test_nothing_has_no_percentiles() -> None:
    assert times([]) is None
    with pytest.raises(ValueError, match="at least one"):
        percentile([], 50)
