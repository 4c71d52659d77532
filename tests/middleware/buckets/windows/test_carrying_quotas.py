"""Limits that change between buckets and quotas: what was spent stays spent, and nothing more."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidegate.buckets.buckets import BucketTable
from sidegate.buckets.decision import Decision, Source
from sidegate.buckets.limits import Limits, parse_limits
from sidegate.buckets.windows import undated
from tests.middleware.buckets.windows.test_windows import BOOT, DAY, NOON, SECOND, table_at

KEY = "login:ann"
MIDNIGHT = BOOT + DAY // 2


def carrying(text: str) -> Limits:
    return parse_limits(text).carrying()


def left(table: BucketTable, text: str, now: int) -> int:
    """Return how many more requests pass."""
    limits, count = carrying(text), 0
    while table.take(KEY, limits, 1, now)[0]:
        count += 1
    return count


def decided(table: BucketTable, limits: Limits, cost: int, now: int) -> Decision:
    allowed, debts = table.take(KEY, limits, cost, now)
    return Decision(allowed, limits, cost, debts, Source.OWNER)


@pytest.mark.parametrize(
    ("old", "spent", "new", "expected"),
    [
        ("100/day", 40, "1000/day window", 600),
        ("1000/day window", 400, "100/day", 60),
        ("7/day window", 1, "3/day", 2),  # a seventh, rounded up
        ("3/day", 1, "7/day window", 4),
        ("100/day window", 40, "200/day window", 120),
        ("100/day window", 40, "200/day window Europe/Berlin", 120),
        ("100/day window", 100, "10/month window", 0),
        ("100/day", 40, "0/day window", 0),
        ("10/second; 100/day window", 10, "20/second; 100/day", 0),
        ("10/second; 100/day window", 10, "10/minute; 200/day window", 0),
        ("100/day window", 40, "10/second; 100/day", 10),  # nothing was said of a second
    ],
)
def test_the_share_that_was_spent_is_spent(old: str, spent: int, new: str, expected: int) -> None:
    table = table_at()
    table.take(KEY, carrying(old), spent, BOOT)
    assert left(table, new, BOOT) == expected


def test_a_quota_that_was_put_by_is_spent_until_its_window_ends_and_then_whole() -> None:
    """What the bucket in its place owes by then is carried over as ever."""
    table = table_at()
    assert left(table, "100/day window", BOOT) == 100
    assert left(table, "100/day", BOOT) == 0
    assert left(table, "100/day window", MIDNIGHT - 1) == 0
    assert left(table, "100/day", MIDNIGHT) == 50  # half a day is back
    table.reset(KEY)
    assert left(table, "100/day window", MIDNIGHT) == 100


def test_what_is_given_back_to_a_bucket_is_as_much_time_of_the_quota_in_its_place() -> None:
    """Else who has a request given back each second, of 5/second, gets a fifth of the day."""
    table = table_at()
    limits = carrying("5/second")
    table.take(KEY, limits, 5, BOOT)
    assert left(table, "100/day window", BOOT) == 0
    table.refund(KEY, limits, 5, BOOT)
    assert left(table, "100/day window", BOOT) == 0


def test_what_is_given_back_to_a_quota_that_is_over_gives_the_bucket_nothing() -> None:
    table, limits = table_at(), carrying("100/day window")
    charged = decided(table, limits, 40, BOOT)
    assert left(table, "100/day", BOOT) == 60
    numbers = charged.windows(limits)
    table.refund(KEY, limits, 40, MIDNIGHT, numbers)
    assert left(table, "100/day", MIDNIGHT) == 50


LIMITS = [
    carrying(it)
    for it in (
        "3/2 seconds window",
        "4/2 seconds",
        "6/minute window",
        "5/minute",
        "2/second; 7/minute window",
        "7/hour window Asia/Kathmandu",
        "3/10 seconds burst 2",
    )
]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(LIMITS),
        st.integers(0, 2),
        st.sampled_from([0, 0, 1, SECOND // 3, SECOND, 25 * SECOND, 3_600 * SECOND]),
        st.sampled_from(["", "", "sweep", "move", "clock"]),
    ),
    max_size=40,
)


def moved(table: BucketTable, now: int) -> BucketTable:
    """Return what another node makes of all buckets of this one, of those put by as well."""
    other = BucketTable()
    other.windows.set(table.windows.wall)
    pieces = table.keys()
    for text, keys in pieces:
        limit = parse_limits(text).items[0]
        number = sum(undated(table.dated(text, now))[1])
        if (window := other.windows.of_limit(limit)) and not window.enter(number, now):
            continue
        other.merge_all(limit, *table.debts(text, keys, now, 0), now)
        other.put_by_all(limit, *table.put_by(text, keys, now), now)
    return other


@given(STEPS)
def test_nobody_gets_more_than_if_each_limit_stood_for_itself(
    steps: list[tuple[Limits, int, int, str]],
) -> None:
    """Nothing is ever taken off a bucket or a quota, also where it moves to another node."""
    one, apart, now = table_at(), table_at(), BOOT
    for limits, cost, pause, event in steps:
        now += pause
        if event == "sweep":
            one.sweep(now, 10)
        elif event == "move":
            one = moved(one, now)
        elif event == "clock":  # it is set, by up to 0.4 s, and perhaps back over a boundary
            wall = NOON - BOOT + (now % 5 - 2) * SECOND // 5
            one.windows.set(wall)
            apart.windows.set(wall)
        if one.take(KEY, limits, cost, now)[0]:
            assert apart.take(KEY, limits.apart(), cost, now)[0]


@given(STEPS)
def test_nobody_is_locked_out(steps: list[tuple[Limits, int, int, str]]) -> None:
    """A denied check passes once its wait is over, and the next day all are whole."""
    table, now = table_at(), BOOT
    for limits, cost, pause, event in steps:
        now += pause
        if event == "move":
            table = moved(table, now)
        found = decided(table, limits, cost, now)
        if not found.allowed:
            now += found.wait
            assert decided(table, limits, cost, now).allowed
    now += DAY
    for limits in LIMITS:
        found = decided(table, limits, 0, now)
        assert [found.remaining_of(at) for at in range(len(limits))] == [it.burst for it in limits]
