"""The part of a limit that a side serves, and what callers are told of it."""

import pytest

from sidegate.buckets.buckets import BucketTable
from sidegate.buckets.limits import SECOND, parse_limits
from sidegate.errors import CostError
from sidegate_sidecar.cluster.split.part import WHOLE, SidePart, taking

NOW = 10**15
LIMITS = parse_limits("60/minute")  # a token a second


def test_the_whole_is_taken_by_the_table_itself() -> None:
    table = BucketTable()
    assert taking(table, WHOLE) == table.take


def test_two_sides_together_admit_one_limit_and_nothing_when_they_meet() -> None:
    tables = BucketTable(), BucketTable()
    counts = [
        sum(taking(table, part)("k", LIMITS, 1, NOW)[0] for _ in range(100))
        for table, part in zip(tables, (SidePart(2, 3), SidePart(1, 3)), strict=True)
    ]
    assert counts == [40, 20]
    one, other = tables
    [(limit, debt)] = other.held("k", NOW)
    one.merge("k", limit, debt, NOW)
    assert not one.take("k", LIMITS, 1, NOW)[0]


def test_a_caller_is_told_what_is_left_of_the_part() -> None:
    take = taking(BucketTable(), SidePart(1, 2))
    for left in range(29, -1, -1):
        allowed, [debt] = take("k", LIMITS, 1, NOW)
        assert allowed
        assert (60 * SECOND - debt) // SECOND == left
    allowed, [debt] = take("k", LIMITS, 0, NOW)
    assert debt == 60 * SECOND


def test_who_is_denied_is_told_when_to_come_again() -> None:
    """A second of the limit by the part is two."""
    take = taking(BucketTable(), SidePart(1, 2))
    for _ in range(30):
        take("k", LIMITS, 1, NOW)
    allowed, [debt] = take("k", LIMITS, 1, NOW)
    wait = debt + SECOND - 60 * SECOND
    assert not allowed
    assert wait == 2 * SECOND
    assert not take("k", LIMITS, 1, NOW + wait - 1)[0]
    assert take("k", LIMITS, 1, NOW + wait)[0]


def test_a_cost_above_the_part_is_charged_as_all_of_it() -> None:
    take = taking(BucketTable(), SidePart(1, 3))
    assert take("k", LIMITS, 50, NOW)[0]
    assert not take("k", LIMITS, 1, NOW)[0]
    with pytest.raises(CostError):
        take("k", LIMITS, 61, NOW)


def test_of_a_limit_below_the_number_of_nodes_one_passes() -> None:
    take = taking(BucketTable(), SidePart(1, 5))
    one = parse_limits("1/hour")
    assert [take("k", one, 1, NOW)[0] for _ in range(3)] == [True, False, False]


def test_blocked_limits_stay_blocked() -> None:
    assert taking(BucketTable(), SidePart(1, 2))("k", parse_limits("0/hour"), 1, NOW) == (False, [])
