"""A large table: its dicts are filled alike, and a number takes no more than it needs."""

import sys
import tracemalloc
from collections.abc import Callable

from sidegate.buckets.buckets import BucketTable
from sidegate.buckets.limits import parse_limits
from sidegate.buckets.tables.shards import Table

LIMITS = parse_limits("1000/day")
NOW = 200 * 86_400 * 10**9  # ns, of a machine that has been up for months
MANY = 60_000


def filled(count: int) -> Table:
    table = Table(LIMITS.items[0])
    for at in range(count):
        table.add(f"user:{at:012}", NOW)
    return table


def test_its_dicts_come_to_where_they_double_at_the_same_time() -> None:
    """Which is just above a million keys: 5 % at 21,845 in a dict are seven deviations there."""
    table = filled(MANY)
    mean = MANY / len(table.dicts())
    spread = 6 * mean**0.5
    assert all(abs(len(held) - mean) < spread for held in table.dicts())
    assert (
        1_000_000 / len(table.dicts()) + 5 * (1_000_000 / len(table.dicts())) ** 0.5 < 2**15 / 1.5
    )


def test_a_dict_that_was_copied_is_found_by_all_its_keys() -> None:
    table = filled(MANY)
    gone = [f"user:{at:012}" for at in range(MANY) if at % 10]
    before = [*table.dicts()]
    for key in gone:
        table.remove(key)
    assert all(held is not old for held, old in zip(table.dicts(), before, strict=True))
    left = [f"user:{at:012}" for at in range(0, MANY, 10)]
    assert all(table.dict_of(key)[key] == NOW for key in left)
    assert sum(map(len, table.dicts())) == table.size == len(left)


def test_a_number_takes_two_digits_and_not_three() -> None:
    """Three are 36 bytes, for which the allocator gives 48."""
    buckets, keys = BucketTable(), [f"user:{at:012}" for at in range(2_000)]
    for key in keys:
        buckets.take(key, LIMITS, 1, NOW)
    held = buckets._tables[LIMITS.items[0].text].dict_of
    assert held(keys[0])[keys[0]].bit_length() <= 60
    changes: list[Callable[[str], object]] = [
        lambda key: buckets.take(key, LIMITS, 1, NOW),
        lambda key: buckets.take(key, LIMITS, 2, NOW),
        lambda key: buckets.merge(key, LIMITS.items[0], 10**13, NOW),
    ]
    for change in changes:
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            for key in keys:
                change(key)
            after, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert after - before < len(keys) * (sys.getsizeof(NOW) + 2)
