"""Buckets in bulk: many merged, looked up and listed at once, for the sync between nodes."""

from collections import Counter

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sidegate.buckets.buckets import BucketTable
from sidegate.buckets.limits import Limit, parse_limits
from sidegate.buckets.store import MIN_MEMORY
from tests.middleware.buckets.contents import (
    HOUR,
    LATE,
    SECOND,
    START,
    TEXTS,
    drain,
    entries,
    exported,
    keys_by_text,
)

KEYS = [f"key{at}" for at in range(8)]

Rows = list[tuple[str, int]]

limits = st.sampled_from([parse_limits(text).items[0] for text in TEXTS])
rows = st.lists(
    st.tuples(
        st.sampled_from(KEYS),
        st.integers(0, 3) | st.integers(0, 3 * SECOND) | st.integers(0, 2**63),
    ),
    max_size=20,
)
bounds = st.sampled_from([MIN_MEMORY, 20 << 10, 1 << 20])


def one_by_one(buckets: BucketTable, limit: Limit, listed: Rows, now: int) -> None:
    for key, debt in listed:
        buckets.merge(key, limit, debt, now)


def in_bulk(buckets: BucketTable, limit: Limit, listed: Rows, now: int) -> None:
    buckets.merge_all(limit, [key for key, _ in listed], [debt for _, debt in listed], now)


def assert_same(some: BucketTable, others: BucketTable, now: int) -> None:
    assert Counter(exported(some, now)) == Counter(exported(others, now))
    assert sorted(keys_by_text(some)) == sorted(entries(some))
    assert (len(some), some.bytes, some.evicted) == (len(others), others.bytes, others.evicted)


def filled(text: str, count: int, now: int = START) -> BucketTable:
    """Return buckets of which key0, key1, … owe one token under a limit."""
    buckets = BucketTable()
    for at in range(count):
        buckets.take(f"key{at}", parse_limits(text), 1, now)
    return buckets


# merge_all


@given(limits, rows, rows, bounds, st.integers(0, 2 * SECOND))
@example(
    parse_limits("7/second").items[0], [("key0", 1)], [("key0", 2)], MIN_MEMORY, 0
)  # ticks of 1/7 ns
@example(parse_limits("1/day").items[0], [("key0", 2**63)], [("key0", 2**62)], MIN_MEMORY, 0)
@example(
    parse_limits("5/second").items[0], [("key0", 5)], [("key1", 9), ("key0", 7)], MIN_MEMORY, 0
)
def test_merging_many_is_merging_each(
    limit: Limit, before: Rows, after: Rows, most: int, pause: int
) -> None:
    """With debts above the capacity, none at all, a key twice, and at the bound of the table."""
    each, many = BucketTable(most), BucketTable(most)
    for at, listed in enumerate((before, after)):
        now = START + at * pause
        one_by_one(each, limit, listed, now)
        in_bulk(many, limit, listed, now)
        assert_same(each, many, now)


@given(rows, rows, limits, limits, bounds)
def test_merging_under_one_limit_leaves_the_others_as_merging_each_does(
    some: Rows, others: Rows, limit: Limit, other: Limit, most: int
) -> None:
    """Also where the bound takes the last bucket of a table, and the table, while it is merged."""
    each, many = BucketTable(most), BucketTable(most)
    for it, listed in ((limit, some), (other, others), (limit, others)):
        one_by_one(each, it, listed, START)
        in_bulk(many, it, listed, START)
        assert_same(each, many, START)


def test_merging_into_a_table_that_is_spread_or_becomes_so_is_merging_each() -> None:
    limit = parse_limits("100/hour").items[0]
    each, many = BucketTable(), BucketTable()
    for first, count in ((0, 4_000), (2_000, 4_000), (5_000, 3_000)):
        listed = [(f"key{at}", 1_000_000 * (at % 7)) for at in range(first, first + count)]
        one_by_one(each, limit, listed, START)
        in_bulk(many, limit, listed, START)
        assert_same(each, many, START)
    assert len(many._tables[limit.text].dicts()) > 1


def test_a_debt_that_is_smaller_than_ours_or_nothing_changes_nothing() -> None:
    """And makes no bucket, since a full one is the same as none."""
    buckets, limit = BucketTable(), parse_limits("5/second").items[0]
    buckets.merge_all(limit, ["a", "b"], [900, 0], START)
    assert exported(buckets, START) == [("a", limit, 900)]
    buckets.merge_all(limit, ["a", "b"], [899, 0], START)
    assert exported(buckets, START) == [("a", limit, 900)]
    assert len(buckets) == 1


def test_a_debt_from_elsewhere_is_never_more_than_the_bucket_can_owe() -> None:
    """Else a node with a bug, or an attacker, could deny a key for ever."""
    buckets, limit = BucketTable(), parse_limits("7/second").items[0]
    buckets.merge_all(limit, ["a"], [2**63], START)
    assert exported(buckets, START) == [("a", limit, 2 * SECOND)]


def test_keys_without_their_debts_are_an_error() -> None:
    with pytest.raises(ValueError, match="argument 2 is shorter"):
        BucketTable().merge_all(parse_limits("5/second").items[0], ["a", "b"], [1], START)


# debts


@pytest.mark.parametrize("text", TEXTS)
def test_only_debts_above_the_least_are_told(text: str) -> None:
    """Rounded up to the ns, so that a merge elsewhere never gives anything away."""
    buckets, limit = BucketTable(), parse_limits(text).items[0]
    _, (debt,) = buckets.take("key", parse_limits(text), 1, START)
    assert debt == -(-limit.interval // limit.scale)
    assert buckets.debts(text, ["none", "key"], START, debt - 1) == (["key"], [debt])
    assert buckets.debts(text, ["none", "key"], START, debt) == ([], [])
    assert buckets.debts(text, ["key"], START + debt - 1, 0) == (["key"], [1])
    assert buckets.debts(text, ["key"], START + debt, 0) == ([], [])
    assert buckets.debts(text, ["key"], LATE, 0) == ([], [])  # not negative


@given(limits, rows, st.integers(0, 2 * SECOND), st.integers(0, SECOND))
def test_the_debts_of_keys_are_those_that_are_exported(
    limit: Limit, listed: Rows, pause: int, least: int
) -> None:
    buckets, now = BucketTable(), START + pause
    in_bulk(buckets, limit, listed, START)
    found, debts = buckets.debts(limit.text, KEYS, now, least)
    expected = {key: debt for key, _, debt in exported(buckets, now) if debt > least}
    assert dict(zip(found, debts, strict=True)) == expected


def test_nothing_is_owed_under_a_limit_that_nobody_uses() -> None:
    assert filled("5/second", 3).debts("6/second", ["key0"], START, 0) == ([], [])


# keys


@pytest.mark.parametrize("count", [0, 1, 10, 4_096, 4_097, 9_000])
def test_all_keys_are_given_once_in_lists_that_are_not_too_long(count: int) -> None:
    buckets = filled("5/hour", count)
    buckets.take("key0", parse_limits("7/day"), 1, START)
    assert all(0 < len(some) <= 500 for _, some in buckets.keys(500))
    expected = {("5/hour", f"key{at}") for at in range(count)} | {("7/day", "key0")}
    listed = Counter((text, key) for text, some in buckets.keys(500) for key in some)
    assert listed == Counter(expected)


@pytest.mark.parametrize(("before", "after"), [(10, 30), (3_000, 9_000), (9_000, 20_000)])
def test_a_key_that_stays_is_given_once_while_the_table_grows(before: int, after: int) -> None:
    """Also when it is spread out between two lists."""
    buckets = filled("5/hour", before)
    given_: Counter[str] = Counter()
    grown = before
    for _, some in buckets.keys(10):
        given_.update(some)
        for at in range(grown, min(grown + 1_000, after)):
            buckets.take(f"key{at}", parse_limits("5/hour"), 1, START)
        grown = min(grown + 1_000, after)
    assert grown == after
    assert {key: given_[key] for key in (f"key{at}" for at in range(before))} == {
        f"key{at}": 1 for at in range(before)
    }
    assert set(given_.values()) == {1}


@pytest.mark.parametrize("count", [100, 6_000])
def test_a_key_that_stays_is_given_once_while_others_go(count: int) -> None:
    """Those that went may be given still: who asks for their debts finds none."""
    buckets = filled("5/minute", count)
    stay = [f"stays{at}" for at in range(count)]
    buckets.merge_all(parse_limits("5/minute").items[0], stay, [60 * SECOND] * count, START)
    given_: Counter[str] = Counter()
    for _, some in buckets.keys(50):
        given_.update(some)
        buckets.sweep(START + 30 * SECOND, 200)
    assert len(buckets) == count
    assert [given_[key] for key in stay] == [1] * count
    assert set(given_.values()) == {1}


def test_tables_may_die_and_others_be_born_while_keys_are_given() -> None:
    """What is there all along, under other limits, is given all the same."""
    buckets = filled("5/second", 20)
    for at in range(20):
        buckets.take(f"key{at}", parse_limits("5/day"), 1, START)
    given_: Counter[tuple[str, str]] = Counter()
    for text, some in buckets.keys(5):
        given_.update((text, key) for key in some)
        drain(buckets, START + HOUR)
        buckets.take("new", parse_limits("9/day"), 1, START + HOUR)
    assert set(buckets._tables) == {"5/day", "9/day"}
    assert [given_["5/day", f"key{at}"] for at in range(20)] == [1] * 20
    assert set(given_.values()) == {1}


@pytest.mark.parametrize(("count", "most"), [(0, 10), (7, 10), (10, 10), (5_000, 5_000)])
def test_a_sample_is_everything_where_there_is_no_more(count: int, most: int) -> None:
    sampled = [key for _, some in filled("5/hour", count).sample(most) for key in some]
    assert sorted(sampled) == sorted(f"key{at}" for at in range(count))


@pytest.mark.parametrize("count", [2_000, 100_000])
def test_a_sample_has_old_and_new_keys(count: int) -> None:
    """Keys that came together, such as a backup's, are in it by their share."""
    buckets = filled("5/hour", count)
    for at in range(count):
        buckets.take(f"late{at}", parse_limits("5/hour"), 1, START)
    keys = [key for _, some in buckets.sample(1_000) for key in some]
    late = sum(key.startswith("late") for key in keys)
    assert late / len(keys) == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("count", [2_000, 20_000])
def test_a_sample_of_many_has_about_as_many_as_asked_for_from_all_parts(count: int) -> None:
    """Each dict of a table gives its share, rounded up: at most one more from each of 64."""
    buckets = filled("5/hour", count)
    for at in range(count // 4):
        buckets.take(f"key{at}", parse_limits("7/day"), 1, START)
    taken = Counter(text for text, some in buckets.sample(1_000) for _ in some)
    dicts = sum(len(table.dicts()) for table in buckets._tables.values())
    assert 1_000 <= taken.total() <= 1_000 + dicts
    assert taken["5/hour"] == pytest.approx(800, abs=65)
    assert taken["7/day"] == pytest.approx(200, abs=65)
