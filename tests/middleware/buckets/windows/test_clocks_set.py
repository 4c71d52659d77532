"""Clocks that were wrong, and are set back: what a node makes of windows that it took for begun."""

from sidegate.buckets.limits import parse_limits
from sidegate.buckets.periods import Period
from tests.middleware.buckets.windows.test_periods import at
from tests.middleware.buckets.windows.test_windows import (
    BOOT,
    DAY,
    NOON,
    hand_over,
    spend,
    table_at,
)

TEXT = "9/day window"
LIMIT = parse_limits(TEXT).items[0]
HOURLY = "9/hour window Australia/Lord_Howe"


def test_what_was_spent_by_a_wrong_clock_is_told_to_others_as_what_it_is() -> None:
    """4 of 9, as the node itself counts it, and not all of them."""
    wrong, other = table_at(NOON + 300 * DAY), table_at()
    spend(wrong, "k", TEXT, 4, BOOT)
    wrong.windows.set(NOON - BOOT)
    assert wrong.debts(TEXT, ["k"], BOOT, 0) == (["k"], [4 * LIMIT.interval])
    hand_over(wrong, other, BOOT, BOOT)
    assert spend(other, "k", TEXT, 9, BOOT) == 5


def test_what_others_have_decided_counts_after_a_clock_was_set_back() -> None:
    """8 of 9 are spent, as the other node says, whatever this one had taken for a later window."""
    table = table_at(NOON + 300 * DAY)
    spend(table, "k", TEXT, 4, BOOT)
    table.windows.set(NOON - BOOT)
    table.merge("k", LIMIT, 8 * LIMIT.interval, BOOT)
    assert spend(table, "k", TEXT, 9, BOOT) == 1
    assert spend(table, "k", TEXT, 9, BOOT + DAY // 2) == 9


def test_what_others_have_put_by_is_put_by_after_a_clock_was_set_back() -> None:
    table = table_at(NOON + 300 * DAY)
    spend(table, "k", TEXT, 4, BOOT)
    table.windows.set(NOON - BOOT)
    table.put_by_all(LIMIT, ["k"], [4 * LIMIT.interval], BOOT)
    assert table.put_by(TEXT, ["k"], BOOT) == (["k"], [4 * LIMIT.interval])
    assert table.debts(TEXT, ["k"], BOOT, 0) == ([], [])


def test_an_hour_and_a_half_is_followed_by_the_next_window_also_early() -> None:
    """Where a clock is put back by half an hour, numbers leave some out; it begins all the same."""
    zone = "Australia/Lord_Howe"
    window = Period("hour", 1, zone).at(at("2026-04-05T01:15", zone))
    assert window.end - window.begin == 1.5 * 3_600 * 10**9
    early = window.end - 10**8
    ahead, behind = table_at(window.end, BOOT), table_at(early, BOOT)
    assert spend(ahead, "k", HOURLY, 9, BOOT) == 9
    assert hand_over(ahead, behind, BOOT, BOOT)
    assert spend(behind, "k", HOURLY, 9, BOOT) == 0
    assert spend(behind, "k", HOURLY, 9, BOOT + 2 * 10**8) == 0
    behind.windows.set(early - BOOT - 10**7)
    assert spend(behind, "k", HOURLY, 9, BOOT) == 0
