"""Dearer limits: the same buckets, of which a token costs more."""

import pytest

from sidegate.buckets.buckets import BucketTable
from sidegate.buckets.dearer import dearer
from sidegate.buckets.limits import SECOND, parse_limits

NOW = 10**15


def taken(table: BucketTable, text: str, nodes: int, of: int, now: int = NOW) -> int:
    """Return how many tokens are let through at once, as a part of a limit."""
    limits = dearer(parse_limits(text), nodes, of)
    count = 0
    while table.take("k", limits, 1, now)[0]:
        count += 1
        assert count < 10_000
    return count


@pytest.mark.parametrize(
    ("text", "nodes", "of", "most"),
    [
        ("100/minute", 1, 2, 50),
        ("100/minute", 2, 3, 66),
        ("10/second burst 20", 3, 4, 15),
        ("1/hour", 1, 5, 1),
        ("0/hour", 1, 2, 0),
        ("100/minute keep 20%", 1, 2, 40),
        ("100/day window", 1, 4, 25),
        ("100/minute; 30/hour", 1, 2, 15),
    ],
)
def test_a_part_of_each_limit_is_let_through(text: str, nodes: int, of: int, most: int) -> None:
    assert taken(BucketTable(), text, nodes, of) == most


def test_the_rate_is_that_part_too() -> None:
    table = BucketTable()
    assert taken(table, "100/minute", 1, 2) == 50
    assert taken(table, "100/minute", 1, 2, NOW + 6 * SECOND) == 5


def test_it_is_the_bucket_of_the_whole_limit() -> None:
    """What the part has spent is spent of the whole, as if the other parts had spent theirs."""
    table, whole = BucketTable(), parse_limits("100/minute")
    assert taken(table, "100/minute", 1, 2) == 50
    assert not table.take("k", whole, 1, NOW)[0]
    assert [str(limit) for limit, _ in table.held("k", NOW)] == ["100/minute"]


def test_limits_that_carry_go_on_carrying() -> None:
    table = BucketTable()
    first = parse_limits("10/minute").carrying()
    assert all(table.take("k", first, 1, NOW)[0] for _ in range(5))
    changed = dearer(parse_limits("20/minute").carrying(), 1, 2)
    assert [table.take("k", changed, 1, NOW)[0] for _ in range(6)] == [True] * 5 + [False]
