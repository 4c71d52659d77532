"""What Buckets answers, behaviour by behaviour; test_buckets_model.py holds it to a model."""

from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidegate.buckets.buckets import BucketTable
from sidegate.buckets.limits import Limits, parse_limits
from sidegate.errors import CostError
from tests.middleware.buckets.contents import BOTH, HOUR, LATE, ONE, SECOND, START, TEXTS, exported


@pytest.mark.parametrize("text", TEXTS)
def test_a_burst_passes_at_once_and_no_more(text: str) -> None:
    buckets, limits = BucketTable(), parse_limits(text)
    burst = limits.smallest_burst
    answers = [buckets.take("key", limits, 1, START)[0] for _ in range(min(burst, 20) + 1)]
    assert answers == [True] * min(burst, 20) + [burst > 20]


@pytest.mark.parametrize("text", TEXTS)
def test_the_next_token_comes_after_one_interval_to_the_nanosecond(text: str) -> None:
    buckets, limits = BucketTable(), parse_limits(text)
    limit = limits.items[0]
    buckets.take("key", limits, limit.burst, START)
    interval = -(-limit.interval // limit.scale)
    assert not buckets.take("key", limits, 1, START + interval - 1)[0]
    assert buckets.take("key", limits, 1, START + interval)[0]


@pytest.mark.parametrize("limits", [ONE, BOTH], ids=str)
def test_a_bucket_fills_up_to_its_burst_and_no_further(limits: Limits) -> None:
    buckets = BucketTable()
    _, debts = buckets.take("key", limits, 5, START)
    assert buckets.take("key", limits, 5, LATE) == (True, debts)
    assert buckets.take("key", limits, 1, LATE) == (False, debts)


def test_all_limits_are_charged_or_none() -> None:
    buckets = BucketTable()
    assert buckets.take("key", BOTH, 5, START) == (True, [SECOND, 5 * HOUR // 8])
    assert buckets.take("key", BOTH, 5, START + SECOND)[0] is False  # 8/hour has 3 left
    assert buckets.take("key", ONE, 5, START + SECOND)[0] is True
    assert buckets.take("key", BOTH, 1, START + SECOND)[0] is False  # now 5/second has none
    assert buckets.take("key", parse_limits("8/hour"), 3, START + SECOND)[0] is True


def test_a_denied_check_holds_nothing() -> None:
    """A flood of denied checks makes no bucket under the limits that would have let them pass."""
    buckets = BucketTable()
    buckets.take("key", ONE, 5, START)
    assert buckets.take("key", BOTH, 1, START) == (False, [SECOND, 0])
    assert len(buckets) == 1


def test_one_limit_in_two_checks_is_one_bucket() -> None:
    """A bucket belongs to a key and a limit, in whatever company the limit comes."""
    buckets = BucketTable()
    for text in ("8/hour", "5/second; 8/hour", "8/hour; 9/day", "8/60 minutes"):
        buckets.take("key", parse_limits(text), 1, START)
    assert buckets.take("key", parse_limits("8/hour"), 0, START) == (True, [4 * HOUR // 8])


def test_keys_are_apart() -> None:
    buckets = BucketTable()
    assert buckets.take("a", ONE, 5, START)[0]
    assert buckets.take("b", ONE, 5, START)[0]


@pytest.mark.parametrize("limits", [ONE, BOTH], ids=str)
def test_a_peek_changes_nothing_and_holds_nothing(limits: Limits) -> None:
    """A flood of questions about unknown keys fills no memory."""
    buckets = BucketTable()
    assert buckets.take("key", limits, 0, START) == (True, [0] * len(limits))
    assert len(buckets) == 0
    buckets.take("other", limits, 1, START)
    assert buckets.take("key", limits, 0, START) == (True, [0] * len(limits))
    assert len(buckets) == len(limits)
    _, debts = buckets.take("key", limits, 5, START)
    assert buckets.take("key", limits, 0, START) == (True, debts)
    assert buckets.take("key", limits, 0, START) == (True, debts)


@pytest.mark.parametrize("cost", [-1, 6])
@pytest.mark.parametrize("limits", [ONE, BOTH], ids=str)
@pytest.mark.parametrize("known", ["nothing", "the limit", "the key"])
def test_a_cost_that_can_never_pass_is_an_error(cost: int, limits: Limits, known: str) -> None:
    """It says so however much is known, and leaves the buckets alone."""
    buckets = BucketTable()
    if known != "nothing":
        buckets.take("key" if known == "the key" else "other", limits, 2, START)
    before = exported(buckets, START)
    with pytest.raises(CostError, match=f"^cost {cost}: expected 0 to 5, the smallest burst"):
        buckets.take("key", limits, cost, START)
    with pytest.raises(CostError):
        buckets.refund("key", limits, cost, START)
    assert exported(buckets, START) == before


# refund, reset, held


def test_a_refund_gives_back_what_was_taken_and_no_more() -> None:
    buckets = BucketTable()
    buckets.take("key", BOTH, 3, START)
    assert buckets.refund("key", BOTH, 1, START) == [2 * SECOND // 5, 2 * HOUR // 8]
    assert buckets.refund("key", BOTH, 5, START) == [0, 0]
    assert buckets.take("key", BOTH, 5, START)[0] is True
    assert buckets.take("key", ONE, 1, START)[0] is False


def test_a_refund_to_a_full_bucket_holds_nothing() -> None:
    buckets = BucketTable()
    assert buckets.refund("key", BOTH, 5, START) == [0, 0]
    assert len(buckets) == 0


def test_a_refund_comes_too_late_for_what_time_has_refilled() -> None:
    buckets = BucketTable()
    buckets.take("key", ONE, 5, START)
    assert buckets.refund("key", ONE, 5, START + HOUR) == [0]
    assert buckets.take("key", ONE, 5, START + HOUR)[0] is True
    assert buckets.take("key", ONE, 1, START + HOUR)[0] is False


def test_a_reset_fills_every_bucket_of_the_key_and_of_no_other() -> None:
    buckets = BucketTable()
    buckets.take("key", BOTH, 5, START)
    buckets.take("other", BOTH, 5, START)
    assert buckets.reset("key") == 2
    assert buckets.reset("key") == 0
    assert buckets.take("key", BOTH, 5, START)[0] is True
    assert buckets.take("other", BOTH, 1, START)[0] is False


def test_held_lists_the_buckets_that_are_in_debt() -> None:
    buckets = BucketTable()
    buckets.take("key", BOTH, 5, START)
    buckets.take("other", BOTH, 1, START)
    second, hour = BOTH.items
    assert buckets.held("key", START) == [(second, SECOND), (hour, 5 * HOUR // 8)]
    assert buckets.held("key", START + SECOND) == [(hour, 5 * HOUR // 8 - SECOND)]
    assert buckets.held("nobody", START) == []
    buckets.reset("key")
    assert buckets.held("key", START) == []


# merge, export


@given(
    st.lists(st.integers(-5, 2 * SECOND), min_size=1, max_size=6).flatmap(
        lambda debts: st.tuples(st.just(debts), st.permutations(debts + debts))
    )
)
def test_merging_late_twice_or_in_another_order_does_no_harm(
    case: tuple[list[int], list[int]],
) -> None:
    """The largest debt counts, up to twice what the bucket holds."""
    debts, again = case
    limit = ONE.items[0]
    buckets = BucketTable()
    for debt in again:
        buckets.merge("key", limit, debt, START)
    expected = min(max(*debts, 0), 2 * SECOND)
    assert buckets.held("key", START) == ([(limit, expected)] if expected else [])
    assert len(buckets) == (expected > 0)


def test_what_was_exported_and_merged_elsewhere_answers_the_same() -> None:
    """Another node, with another clock, takes over."""
    here, there, limits = BucketTable(), BucketTable(), parse_limits("7/second; 3/minute")
    for at in range(30):
        here.take(f"key{at}", limits, at % 3 + 1, START + at)
    for key, limit, debt in exported(here, START + 100):
        there.merge(key, limit, debt, 5)
    for at in range(30):
        for later in (0, SECOND // 7, SECOND, 20 * SECOND):
            ours = here.take(f"key{at}", limits, 0, START + 100 + later)
            assert there.take(f"key{at}", limits, 0, 5 + later) == ours


def test_an_export_gives_every_bucket_in_debt_once_in_short_lists() -> None:
    """10,000 of them are in the dicts of a table that is spread out."""
    buckets = BucketTable()
    for at in range(10_000):
        buckets.take(f"key{at}", BOTH, 1, START)
    lists = list(buckets.export(START + SECOND // 5, 1_000))  # 5/second is full just now
    assert max(map(len, lists)) <= 1_000
    keys = [key for entries in lists for key, _, _ in entries]
    assert sorted(keys) == sorted(f"key{at}" for at in range(10_000))
    assert {(limit, debt) for entries in lists for _, limit, debt in entries} == {
        (BOTH.items[1], HOUR // 8 - SECOND // 5)
    }


@pytest.mark.parametrize("size", [50, 4_090, 6_000])
def test_an_export_goes_on_while_buckets_come_and_go(size: int) -> None:
    """What is there all along is given once, also when the table is spread out meanwhile."""
    buckets, names = BucketTable(), count()
    for at in range(size):
        buckets.take(f"key{at}", parse_limits("8/hour"), 1, START)
    keys: list[str] = []
    for entries in buckets.export(START, 10):
        keys += [key for key, _, _ in entries]
        for _ in range(2):
            buckets.take(f"new{next(names)}", BOTH, 1, START)
        buckets.sweep(START + SECOND, 1)
    old = [key for key in keys if key.startswith("key")]
    assert sorted(old) == sorted(f"key{at}" for at in range(size))
    assert len(keys) == len(set(keys))
