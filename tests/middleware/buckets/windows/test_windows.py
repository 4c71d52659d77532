"""Quotas: at most so many in each window, on one node and on several whose clocks differ."""

from collections import Counter
from datetime import UTC, datetime
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidegate.buckets.buckets import BucketTable
from sidegate.buckets.decision import Decision, Source, aged
from sidegate.buckets.limits import Limits, parse_limits
from sidegate.buckets.tables.ledger import Ledger, LedgerTable, Payer, PayerKind
from sidegate.buckets.windows import MAX_SKEW, dated, undated
from sidegate.errors import CostError
from tests.middleware.buckets.model import BucketModel

SECOND = 10**9
DAY = 86_400 * SECOND
NOON = int(datetime(2026, 11, 30, 12, tzinfo=UTC).timestamp()) * SECOND
BOOT = 7 * SECOND  # what the clock of a table shows at NOON


def table_at(wall: int = NOON, now: int = BOOT) -> BucketTable:
    """Return a table whose clock shows `now` while the one on the wall shows `wall`."""
    table = BucketTable()
    table.windows.set(wall - now)
    return table


def spend(table: BucketTable, key: str, text: str, times: int, now: int) -> int:
    """Return how many of so many checks are allowed."""
    limits = parse_limits(text)
    return sum(table.take(key, limits, 1, now)[0] for _ in range(times))


def test_a_window_has_so_many_and_the_next_one_is_whole() -> None:
    table, midnight = table_at(), BOOT + DAY // 2
    assert spend(table, "k", "7/day window", 10, BOOT) == 7
    assert spend(table, "k", "7/day window", 10, midnight - 1) == 0
    assert spend(table, "k", "7/day window", 10, midnight) == 7
    assert spend(table, "k", "7/day window", 10, midnight + DAY - 1) == 0


def test_a_decision_tells_the_boundary() -> None:
    table, limits = table_at(), parse_limits("2/day window")
    half = DAY // 2
    seen = [decided(table, limits, BOOT + at * SECOND) for at in range(3)]
    assert [it.allowed for it in seen] == [True, True, False]
    assert [it.remaining for it in seen] == [1, 0, 0]
    assert [it.reset_after for it in seen] == [(half - at * SECOND) / SECOND for at in range(3)]
    assert [it.retry_after for it in seen] == [0, 0, (half - 2 * SECOND) / SECOND]
    assert seen[0].windows(limits) == [20_788]


def decided(table: BucketTable, limits: Limits, now: int, cost: int = 1) -> Decision:
    allowed, debts = table.take("k", limits, cost, now)
    return Decision(allowed, limits, cost, debts, Source.OWNER)


def test_what_is_not_spent_is_told_to_end_with_the_window_as_well() -> None:
    found = decided(table_at(), parse_limits("5/day window"), BOOT, 0)
    assert (found.remaining, found.reset_after) == (5, 43_200)


def test_buckets_and_quotas_are_charged_together_or_not_at_all() -> None:
    table, text = table_at(), "10/second; 15/day window"
    assert spend(table, "k", text, 12, BOOT) == 10
    assert spend(table, "k", text, 12, BOOT + SECOND) == 5
    found = decided(table, parse_limits(text), BOOT + SECOND)
    assert (found.remaining_of(0), found.remaining_of(1)) == (5, 0)
    assert [found.retry_of(0), found.retry_of(1)] == [0, 43_199]
    assert found.binding == (parse_limits("15/day window").items[0], found.debts[1])


def test_a_cost_above_a_quota_never_passes() -> None:
    with pytest.raises(CostError, match="cost 8: expected 0 to 7"):
        decided(table_at(), parse_limits("7/day window"), BOOT, 8)


def test_a_denial_ages_but_nothing_comes_back_in_its_window() -> None:
    table, limits = table_at(), parse_limits("3/second; 2/day window")
    spend(table, "k", limits.text, 2, BOOT)
    denied = decided(table, limits, BOOT)
    later = aged(denied, SECOND)
    assert later == [0, denied.debts[1], denied.debts[2] - SECOND, 20_788]


# given back


def test_what_was_charged_in_a_window_that_is_over_is_not_given_back() -> None:
    table, limits = table_at(), parse_limits("100/minute; 3/day window")
    charged = decided(table, limits, BOOT, 2)
    text = dated(limits, charged.windows(limits))
    assert text == "100/minute; 3/day window@20788"
    _, windows = undated(text)
    assert windows == [0, 20_788]
    midnight = BOOT + DAY // 2
    assert decided(table, limits, midnight, 2).allowed
    table.refund("k", limits, 2, midnight, windows)
    assert decided(table, limits, midnight, 0).remaining_of(1) == 1
    table.refund("k", limits, 2, midnight, [0, 20_789])
    assert decided(table, limits, midnight, 0).remaining_of(1) == 3


@pytest.mark.parametrize("text", ["3/day window@x", "3/day window@", "3/day window@1234567890123"])
def test_a_window_without_a_number_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="expected the number of a window after @"):
        undated(text)


def test_a_frame_full_of_windows_is_an_error_at_once() -> None:
    """Nobody looks for half a second at what can be no limits."""
    longest = "; ".join(
        f"{at}/{at} days window America/Argentina/ComodRivadavia" for at in range(1, 9)
    )
    numbers = [20_788] * 8
    assert undated(dated(parse_limits(longest), numbers)) == (parse_limits(longest).text, numbers)
    with pytest.raises(ValueError, match="limits of 1,000,000 characters: expected at most 1,120"):
        undated("1@1;" * 250_000)


@pytest.mark.parametrize(("text", "owed"), [("10/day", 20), ("10/day window", 10)])
def test_who_was_not_asked_may_owe_twice_a_bucket_and_all_of_a_window(text: str, owed: int) -> None:
    table, limits = table_at(), parse_limits(text)
    table.owe("k", limits, 7, BOOT)
    table.owe("k", limits, 4, BOOT)
    table.owe("k", limits, 400, BOOT)
    limit = limits.items[0]
    assert table.held("k", BOOT) == [(limit, owed * limit.interval)]
    assert not decided(table, limits, BOOT).allowed
    table.refund("k", limits, 1, BOOT)  # what is owed beyond isn't forgiven by it
    assert table.held("k", BOOT) == [(limit, (owed - 1) * limit.interval)]


@pytest.mark.parametrize("text", ["0/day", "0/day window"])
def test_where_nothing_passes_nothing_is_owed(text: str) -> None:
    table = table_at()
    assert not table.owe("k", parse_limits(text), 5, BOOT)[0]
    assert len(table) == 0


# several nodes


def hand_over(old: BucketTable, new: BucketTable, now: int, then: int) -> bool:
    """Send all buckets of the old one as nodes do; False where their window is over there."""
    all_entered = True
    for rows in old.export(now):
        for key, limit, debt in rows:
            text, (number,) = undated(old.windows.dated(limit, now))
            assert text == limit.text
            window = new.windows.of_limit(limit)
            assert window
            if window.enter(number, then):
                new.merge(key, limit, debt, then)
            else:
                all_entered = False
    return all_entered


@pytest.mark.parametrize("skew", [-500, -1, 0, 1, 500])
def test_a_new_owner_goes_on_counting_whatever_its_clock_shows(skew: int) -> None:
    """Also a moment before and after midnight, with clocks that differ by half a second."""
    text, midnight = "9/day window", BOOT + DAY // 2
    for at in (-SECOND, -SECOND // 4, -1, 0, 1, SECOND // 4, SECOND):
        old, new = table_at(), table_at(NOON + skew * 10**6)
        before = spend(old, "k", text, 4, midnight + at)
        entered = hand_over(old, new, midnight + at, midnight + at)
        allowed = spend(new, "k", text, 10, midnight + at)
        is_next = at + skew * 10**6 >= 0 > at  # for the new one the day has begun
        assert (before, allowed) == (4, 9 if is_next else 5)
        assert entered is not is_next


def test_buckets_of_yesterday_that_come_late_count_for_nothing() -> None:
    old, new, midnight = table_at(), table_at(), BOOT + DAY // 2
    spend(old, "k", "9/day window", 9, midnight - 1)
    assert not hand_over(old, new, midnight - 1, midnight)
    assert spend(new, "k", "9/day window", 10, midnight) == 9


def test_a_clock_that_is_a_day_ahead_locks_nobody_out_for_two() -> None:
    """What it says of tomorrow counts today, and tomorrow is whole."""
    wrong, right = table_at(NOON + DAY), table_at()
    assert spend(wrong, "k", "9/day window", 4, BOOT) == 4
    hand_over(wrong, right, BOOT, BOOT)
    assert spend(right, "k", "9/day window", 9, BOOT) == 5
    assert spend(right, "k", "9/day window", 10, BOOT + DAY // 2) == 9


def test_a_clock_that_was_set_back_locks_nobody_out() -> None:
    table, text = table_at(NOON + 300 * DAY), "9/day window"
    assert spend(table, "k", text, 4, BOOT) == 4
    table.windows.set(NOON - BOOT)
    assert spend(table, "k", text, 9, BOOT) == 5
    assert spend(table, "k", text, 10, BOOT + DAY // 2) == 9


def test_a_window_that_began_early_stays_begun_when_the_clock_is_set_back_a_little() -> None:
    old, new, midnight = table_at(NOON + MAX_SKEW // 2), table_at(), BOOT + DAY // 2
    just_before = midnight - MAX_SKEW // 4
    assert spend(old, "k", "9/day window", 9, just_before) == 9
    assert hand_over(old, new, just_before, just_before)
    new.windows.set(NOON - BOOT - MAX_SKEW // 10)
    assert spend(new, "k", "9/day window", 1, just_before) == 0
    found = decided(new, parse_limits("9/day window"), just_before)
    assert found.retry_after == pytest.approx(86_400, abs=1)


# memory


def test_buckets_of_a_window_are_forgotten_after_it() -> None:
    table, text = table_at(), "10/hour window"
    for key in "abc":
        spend(table, key, text, 5, BOOT)
    hour = 3_600 * SECOND
    table.sweep(BOOT + hour - 1, 100)
    assert len(table) == 3
    table.sweep(BOOT + 2 * hour, 100)
    assert len(table) == 0


def test_when_memory_is_full_those_go_first_that_have_spent_least() -> None:
    table = BucketTable(1 << 20)
    table.windows.set(NOON - BOOT)
    limits = parse_limits("1000/day window")
    for at in range(500):
        table.take(f"spent{at:03}", limits, 900, BOOT)
    for at in range(8_000):
        table.take(f"new{at:06}", limits, 1, BOOT)
    assert table.evicted[PayerKind.KEYS] > 0
    assert all(table.held(f"spent{at:03}", BOOT) for at in range(500))


def test_of_limits_that_pay_together_a_quota_is_not_spared() -> None:
    """Where rules are too many for accounts of their own, who has spent the smallest share goes."""
    clock = table_at().windows
    for text, tokens in (("100/day window", 10), ("100/day", 50)):
        limit = parse_limits(text).items[0]
        window, owed = clock.of_limit(limit), tokens * limit.interval
        ledger = Ledger(LedgerTable(limit, window), None, Payer(PayerKind.REST))
        at = window.forgotten_at(window.at(BOOT) + owed, BOOT) if window else BOOT + owed
        ledger.due.push(at, BOOT, "k")
        assert ledger.least_share(BOOT) == pytest.approx(tokens / 100, abs=0.06)


# against a model

WINDOWS = ["3/2 seconds window", "5/minute window", "2/second; 4/10 seconds window", "6/10 seconds"]


class Quotas:
    """Counts by window, with buckets as a textbook has them."""

    def __init__(self) -> None:
        self.counts = Counter[tuple[str, int]]()
        self.buckets = BucketModel()

    def left(self, limits: Limits, wall: int) -> list[Fraction]:
        return [
            Fraction(it.tokens - self.counts[it.text, it.period.at(wall).number])
            if it.period
            else self.buckets.level("k", it, wall)
            for it in limits
        ]

    def take(self, limits: Limits, cost: int, wall: int) -> bool:
        allowed = all(left >= cost for left in self.left(limits, wall))
        for it in limits if allowed else ():
            if it.period:
                self.counts[it.text, it.period.at(wall).number] += cost
            else:
                self.buckets.take("k", Limits([it]), cost, wall)
        return allowed


@settings(max_examples=200)
@given(
    st.sampled_from(WINDOWS),
    st.lists(st.tuples(st.integers(0, 3 * SECOND), st.integers(0, 2)), max_size=40),
    st.lists(st.integers(0, 39), max_size=4),
)
def test_a_table_admits_what_a_model_does(
    text: str, steps: list[tuple[int, int]], moves: list[int]
) -> None:
    """Also where all buckets move to another table now and then, some of them twice."""
    limits, model, table, now = parse_limits(text), Quotas(), table_at(), BOOT
    for place, (pause, cost) in enumerate(steps):
        now += pause
        if place in moves:
            other = table_at()
            for _ in range(2):
                for rows in table.export(now):
                    for key, limit, debt in rows:
                        other.merge(key, limit, debt, now)
            table = other
        wall = now + NOON - BOOT
        assert table.take("k", limits, cost, now)[0] is model.take(limits, cost, wall)
        found = decided(table, limits, now, 0)
        assert [found.remaining_of(at) for at in range(len(limits))] == [
            int(left) for left in model.left(limits, wall)
        ]
        table.sweep(now, 1)
