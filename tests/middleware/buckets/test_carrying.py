"""Limits that change: what was spent of the old ones is spent of the new ones, and nothing more."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sidegate.buckets.buckets import BucketTable
from sidegate.buckets.limits import Limit, Limits, parse_limits
from sidegate.buckets.tables import accounts
from tests.middleware.buckets.contents import START
from tests.middleware.buckets.model import CarryingModel

SECOND = 10**9
KEY = "login:ann"


def carrying(text: str) -> Limits:
    return parse_limits(text).carrying()


def left(buckets: BucketTable, limits: Limits, now: int = START) -> int:
    """How many more requests pass."""
    count = 0
    while buckets.take(KEY, limits, 1, now)[0]:
        count += 1
    return count


@pytest.mark.parametrize(
    ("old", "spent", "new", "expected"),
    [
        ("10/hour", 4, "20/hour", 12),
        ("20/hour", 8, "10/hour", 6),
        ("1000/hour", 900, "10/hour", 1),  # no debt of 90 hours
        ("10/hour", 4, "10/hour burst 5", 3),
        ("10/hour", 10, "20/hour", 0),
        ("10/hour", 4, "5/minute", 3),
        ("5/minute", 2, "1000/day", 600),
        ("7/hour", 1, "3/hour", 2),  # a seventh, rounded up
        ("10/hour", 4, "0/hour", 0),
        ("10/second; 1000/day", 10, "20/second; 1000/day", 0),  # the second is spent
        ("1000/day", 400, "10/second; 1000/day", 10),  # nothing was said of a second
        ("1000/day", 400, "10/second; 2000/day", 10),
        ("10/second; 1000/day", 10, "500/day", 495),  # a second says nothing of a day
        ("10/hour", 4, "10/hour burst 10", 6),  # the same limit
    ],
)
def test_the_share_that_was_spent_is_spent(old: str, spent: int, new: str, expected: int) -> None:
    buckets = BucketTable()
    buckets.take(KEY, carrying(old), spent, START)
    assert left(buckets, carrying(new)) == expected


def test_what_is_spent_meanwhile_counts_both_ways() -> None:
    """While an app is rolled out the old and the new limit are asked about in turns."""
    buckets, old, new = BucketTable(), carrying("10/hour"), carrying("20/hour")
    passed = {old.text: 0, new.text: 0}
    for at in range(40):
        limits = (old, new)[at % 2]
        passed[limits.text] += buckets.take(KEY, limits, 1, START)[0]
    assert passed[old.text] / 10 + passed[new.text] / 20 == pytest.approx(1, abs=1 / 20)


def test_limits_that_stand_for_themselves_are_left_alone() -> None:
    buckets = BucketTable()
    buckets.take(KEY, parse_limits("10/second"), 10, START)
    assert left(buckets, parse_limits("1000/day")) == 1000


def test_keys_of_a_rule_for_all_have_one_limit_whoever_asks() -> None:
    """Also by limits that don't say so, such as curl's: else these would begin afresh for all."""
    buckets, changed = BucketTable(), parse_limits("20/hour")
    buckets.ruled = frozenset({"login:"})
    buckets.take(KEY, carrying("10/hour"), 4, START)
    assert buckets.take(KEY, changed, 2, START)[0]
    assert left(buckets, parse_limits("10/hour")) == 5
    assert left(buckets, changed) == 0
    buckets.take("search:ann", parse_limits("10/hour"), 10, START)
    assert buckets.take("search:ann", changed, 20, START)[0]


def test_keys_of_other_rules_are_left_alone() -> None:
    buckets = BucketTable()
    buckets.take("search:ann", carrying("10/hour"), 10, START)
    buckets.take("login:bob", carrying("10/hour"), 10, START)
    assert left(buckets, carrying("20/hour")) == 20


def test_a_share_of_a_node_that_is_cut_off_is_no_limit_that_was_changed() -> None:
    buckets, whole = BucketTable(), carrying("10/hour")
    buckets.take(KEY, whole.divided(2), 5, START)
    assert left(buckets, whole) == 10


def test_nor_is_it_where_a_rule_of_a_file_has_all_keys_carry() -> None:
    """Else what it spends of its share is told to the others as spent of the whole."""
    buckets, whole = BucketTable(), parse_limits("10/hour")
    buckets.ruled = frozenset({"login:"})
    buckets.take(KEY, whole, 4, START)
    buckets.take(KEY, whole.divided(2), 5, START)
    assert not buckets.take_carried()
    assert left(buckets, whole) == 6


def test_what_was_carried_over_isnt_carried_over_again() -> None:
    """Else who comes once in two seconds would be locked out by what a day has cost."""
    buckets, second = BucketTable(), carrying("10/second")
    buckets.take(KEY, carrying("1000/day"), 1000, START)
    assert left(buckets, second) == 0
    for at in range(1, 10):
        now = START + at * 2 * SECOND
        buckets.sweep(now, 1_000)
        assert left(buckets, second, now) == 10


def test_a_longer_limit_forgets_nothing_while_a_shorter_one_is_in_its_place() -> None:
    buckets, day = BucketTable(), carrying("1000/day")
    buckets.take(KEY, day, 1000, START)
    buckets.take(KEY, carrying("10/second"), 0, START)
    assert left(buckets, day, START + 10 * SECOND) == 0


def test_a_denied_check_carries_over_too() -> None:
    buckets = BucketTable()
    buckets.take(KEY, carrying("10/hour"), 10, START)
    assert not buckets.take(KEY, carrying("20/hour"), 1, START)[0]
    assert [str(limit) for limit, _ in buckets.held(KEY, START)] == ["20/hour"]


def test_a_reset_fills_what_was_put_by_as_well() -> None:
    buckets, old, new = BucketTable(), carrying("10/hour"), carrying("20/hour")
    for fill in (lambda: buckets.reset(KEY), lambda: _fill_all(buckets)):
        buckets.take(KEY, old, 10, START)
        buckets.take(KEY, new, 0, START)
        fill()
        assert left(buckets, new) == 20
        assert left(buckets, old) == 0  # for the new one was spent since
        buckets.reset(KEY)


def _fill_all(buckets: BucketTable) -> None:
    for text, keys in list(buckets.keys()):
        buckets.fill(text, keys, START)


def test_a_refund_gives_back_no_more_time_than_was_charged() -> None:
    """Else whoever has a request fail each second gets a fifth of the other limit's day for it."""
    buckets, day, second, now = BucketTable(), carrying("100/day"), carrying("5/second"), START
    assert left(buckets, day) == 100
    for _ in range(10):
        now += SECOND
        assert buckets.take(KEY, second, 1, now)[0] or now == START + SECOND
        assert left(buckets, day, now) == 0
        buckets.refund(KEY, second, 1, now)
        assert left(buckets, day, now) == 0
        buckets.take(KEY, second, 0, now)


def test_a_refund_is_of_the_limit_that_was_charged() -> None:
    """Whoever was charged by the old limit gets its share of the new one back."""
    buckets, old, new = BucketTable(), carrying("10/hour"), carrying("20/hour")
    buckets.take(KEY, old, 10, START)
    assert left(buckets, new) == 0
    buckets.refund(KEY, old, 2, START)
    assert left(buckets, new) == 4


def test_one_of_many_rules_is_carried_over_as_any(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table that rules beyond the bound have buckets in as well is one table."""
    monkeypatch.setattr(accounts, "MAX_PAYERS", 1)
    buckets, old = BucketTable(), carrying("10/hour")
    buckets.take(KEY, old, 10, START)
    buckets.take("search:ann", old, 1, START)
    buckets.take(KEY, carrying("20/second"), 0, START)
    assert left(buckets, old, START + 10 * SECOND) == 0


# --- other nodes


def copied(buckets: BucketTable, other: BucketTable, now: int = START) -> None:
    """Tell another node what changed, as replication does."""
    for key, texts, _ in buckets.take_carried():
        for limit in parse_limits(texts).items:
            other.merge_all(limit, *buckets.debts(limit.text, (key,), now, 0), now)
            other.put_by_all(limit, *buckets.put_by(limit.text, (key,), now), now)


@pytest.mark.parametrize("knows", [True, False], ids=["a backup", "a new owner"])
def test_another_node_goes_on_from_there(knows: bool) -> None:
    one, other = BucketTable(), BucketTable()
    old, new = carrying("10/hour"), carrying("20/hour")
    one.take(KEY, old, 4, START)
    if knows:
        other.merge_all(old.items[0], *one.debts(old.text, (KEY,), START, 0), START)
    one.take(KEY, new, 12, START)
    copied(one, other)
    assert left(other, old) == 0
    assert left(other, new) == 0


def test_a_late_copy_of_what_was_put_by_changes_nothing() -> None:
    """A backup that missed the change sends back what it has, some milliseconds later."""
    buckets, old, new = BucketTable(), carrying("10/hour"), carrying("20/hour")
    _, debts = buckets.take(KEY, old, 4, START)
    buckets.take(KEY, new, 12, START)
    buckets.merge(KEY, old.items[0], debts[0], START + SECOND)
    assert left(buckets, old) == 0
    assert left(buckets, new) == 0


def test_a_copy_that_says_more_counts() -> None:
    buckets, old, new = BucketTable(), carrying("10/hour"), carrying("20/hour")
    buckets.take(KEY, old, 4, START)
    buckets.take(KEY, new, 0, START)
    buckets.merge(KEY, old.items[0], old.items[0].capacity, START)
    assert left(buckets, old) == 0


def test_what_is_put_by_elsewhere_and_was_charged_here_stays() -> None:
    buckets, old = BucketTable(), carrying("10/hour")
    buckets.take(KEY, old, 8, START)
    buckets.put_by_all(old.items[0], (KEY,), (0,), START)
    assert [str(limit) for limit, _ in buckets.held(KEY, START)] == ["10/hour"]


def test_a_limit_without_tokens_has_no_buckets_to_merge() -> None:
    buckets, blocked = BucketTable(), parse_limits("0/hour").items[0]
    buckets.merge_all(blocked, (KEY,), (SECOND,), START)
    buckets.put_by_all(blocked, (KEY,), (SECOND,), START)
    assert not len(buckets)
    assert left(buckets, carrying("10/hour")) == 10


def test_of_what_was_carried_over_only_so_much_waits_to_be_told() -> None:
    buckets, old, new = BucketTable(), carrying("10/hour"), carrying("20/hour")
    for at in range(5_000):
        buckets.take(f"login:{at}", old, 1, START)
        buckets.take(f"login:{at}", new, 1, START)
    assert len(buckets.take_carried()) <= 4_097
    assert not buckets.take_carried()


# --- whatever comes

LIMITS = [
    carrying(text)
    for text in ("10/hour", "20/hour", "3/hour", "100/minute", "1000/day", "5/second; 50/hour")
]
ROUNDED = SECOND // 1_000
STEPS = st.lists(
    st.tuples(
        st.sampled_from(LIMITS), st.integers(0, 3), st.integers(0, 2_000 * SECOND), st.booleans()
    ),
    max_size=60,
)


@given(STEPS)
def test_nobody_gets_more_than_if_each_limit_stood_for_itself(
    steps: list[tuple[Limits, int, int, bool]],
) -> None:
    """Nothing is ever taken off a bucket: what passes would pass without the others too."""
    one, apart, now = BucketTable(), BucketTable(), START
    for limits, cost, pause, sweeps in steps:
        now += pause
        if sweeps:
            one.sweep(now, 10)
        if one.take(KEY, limits, cost, now)[0]:
            assert apart.take(KEY, limits.apart(), cost, now)[0]


@given(STEPS)
def test_it_is_what_the_model_says(steps: list[tuple[Limits, int, int, bool]]) -> None:
    """But for what is rounded up: a nanosecond of a second's debt is some µs of a day's."""
    buckets, model, now = BucketTable(), CarryingModel(), START
    for limits, cost, pause, sweeps in steps:
        now += pause
        if sweeps:
            buckets.sweep(now, 10)
            texts = buckets.keys()
            model.keep({text for text, _ in texts})
        allowed, expected = buckets.take(KEY, limits, cost, now)[0], model.take(limits, cost, now)
        if expected and not allowed:  # by what was rounded
            return
        assert allowed == expected
        live = {limit.text: debt for limit, debt in buckets.held(KEY, now)}
        for limit in model.full_at.keys() - model.put_by:
            rounded = live.pop(limit.text, 0) - model.debt(limit, now)
            assert 0 <= rounded < ROUNDED
        assert not live


@given(STEPS)
def test_nobody_is_locked_out(steps: list[tuple[Limits, int, int, bool]]) -> None:
    """A denied check passes once its wait is over; and after the longest window all are full."""
    buckets, now = BucketTable(), START
    for limits, cost, pause, _ in steps:
        now += pause
        allowed, debts = buckets.take(KEY, limits, cost, now)
        if not allowed:
            now += max(
                -(-(debt * it.scale + cost * it.interval - it.capacity) // it.scale)
                for debt, it in zip(debts, limits.items, strict=True)
            )
            assert buckets.take(KEY, limits, cost, now)[0]
    now += 86_400 * SECOND
    for limits in LIMITS:
        assert buckets.take(f"{KEY}", limits, 0, now) == (True, [0] * len(limits))


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(1, 2), st.integers(0, 400)), max_size=80),
)
def test_limits_of_one_window_are_one_budget(steps: list[tuple[int, int, int]]) -> None:
    """Of any interval: the shares that pass are no more than a burst, and what is refilled."""
    buckets, now = BucketTable(), START
    family = [carrying(f"{tokens}/hour") for tokens in (10, 25, 40)]
    passed: list[tuple[int, float]] = []
    for which, cost, pause in steps:
        now += pause * SECOND
        limits = family[which]
        if buckets.take(KEY, limits, cost, now)[0]:
            passed.append((now, cost / limits.smallest_burst))
    for first, (begin, _) in enumerate(passed):
        total = 0.0
        for end, share in passed[first:]:
            total += share
            assert total <= 1 + (end - begin) / (3_600 * SECOND) + 1e-9


@given(st.integers(1, 50), st.integers(1, 50), st.integers(0, 50))
def test_there_and_back_costs_no_more_than_rounding(first: int, second: int, spent: int) -> None:
    assume(spent <= first and first != second)
    buckets = BucketTable()
    old, new = carrying(f"{first}/hour"), carrying(f"{second}/hour")
    _, before = buckets.take(KEY, old, spent, START)
    buckets.take(KEY, new, 0, START)
    _, after = buckets.take(KEY, old, 0, START)
    assert 0 <= after[0] - before[0] <= first


def test_limits_say_whether_they_carry() -> None:
    limits = Limits([Limit(10, 60)])
    assert (limits.carries, limits.asked) == (False, "10/minute")
    marked = limits.carrying()
    assert (marked.carries, marked.text) == (True, "10/minute")
    assert marked == limits
    assert parse_limits(marked.asked).carries
    assert parse_limits(marked.asked).items == limits.items
    assert marked.carrying() is marked
    assert not marked.apart().carries
    assert not marked.divided(2).carries
