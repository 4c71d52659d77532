"""What a node lets through when it can't ask anyone who knows."""

import pytest

from sidegate.buckets.buckets import BucketTable
from sidegate.buckets.limits import SECOND, parse_limits
from sidegate_sidecar.node.share import take_share

NOW = 10**15
HOUR = 3_600 * SECOND


def take(table: BucketTable, text: str, parts: int, cost: int = 1) -> list[int]:
    return take_share(table, "k", parse_limits(text), cost, parts, NOW)


@pytest.mark.parametrize(("parts", "allowed"), [(2, 5), (3, 3), (5, 2), (50, 1)])
def test_the_share_is_a_part_of_the_limit_but_at_least_one(parts: int, allowed: int) -> None:
    table = BucketTable()
    assert sum(take(table, "10/hour", parts)[0] for _ in range(20)) == allowed


def test_what_the_share_lets_through_is_spent_of_the_whole_limit() -> None:
    table = BucketTable()
    for _ in range(5):
        take(table, "10/hour", 5)
    _, [debt] = table.take("k", parse_limits("10/hour"), 0, NOW)
    assert debt == 2 * HOUR // 10


def test_what_is_known_to_be_spent_is_spent_for_the_share() -> None:
    table = BucketTable()
    table.take("k", parse_limits("10/hour"), 10, NOW)
    allowed, debt = take(table, "10/hour", 2)
    assert (allowed, debt) == (0, HOUR)  # of 5 an hour there are none left


def test_a_cost_above_the_share_is_all_of_it() -> None:
    table = BucketTable()
    assert take(table, "10/hour", 5, cost=10) == [1, HOUR]
    assert take(table, "10/hour", 5)[0] == 0
