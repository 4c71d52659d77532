"""Space-Saving: counts are never too small, and never too large by more than they say."""

from collections import Counter
from collections.abc import Mapping
from sys import getsizeof

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidegate_sidecar.reports.space_saving import STEP, SpaceSaving, bytes_of_counters, lot_of
from tests.support.steps import finished

KEYS = st.integers(0, 40).map("k{}".format)
STREAMS = st.lists(st.tuples(KEYS, st.integers(1, 9)), max_size=300)
LOTS = st.lists(
    st.dictionaries(st.integers(0, 60).map("k{}".format), st.integers(0, 4), max_size=60),
    max_size=6,
)


def count(table: SpaceSaving, times: Mapping[str, int]) -> None:
    """Have a lot counted, in all slices at once."""
    table.add(finished(lot_of(times, table.most)))


def counted(
    stream: list[tuple[str, int]], most: int, max_bytes: int = 1 << 20, lot: int = 7
) -> SpaceSaving:
    table = SpaceSaving(most, max_bytes)
    for begin in range(0, len(stream), lot):
        count(table, exact(stream[begin : begin + lot]))
    return table


def exact(stream: list[tuple[str, int]]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for key, times in stream:
        counts[key] += times
    return counts


@given(STREAMS, st.integers(1, 50), st.integers(1, 99))
def test_each_count_is_within_its_error(stream: list[tuple[str, int]], most: int, lot: int) -> None:
    """Also of what isn't counted; and no error is above all that came, over the counters."""
    table, truth = counted(stream, most, lot=lot), exact(stream)
    assert table.floor * most <= truth.total()
    for key, count, error in table.ranked():
        assert count - error <= truth[key] <= count
        assert error <= table.floor
    assert all(truth[key] <= table.floor for key in truth.keys() - table.counts.keys())


@given(STREAMS, st.integers(1, 50))
def test_there_are_never_more_counters_than_may_be(
    stream: list[tuple[str, int]], most: int
) -> None:
    table = counted(stream, most)
    assert len(table) <= most
    assert table.size == bytes_of_counters(table.counts)


@given(
    st.lists(st.tuples(st.text("ab", min_size=1, max_size=90), st.integers(1, 9)), max_size=200),
    st.integers(400, 4_000),
    st.integers(1, 99),
)
def test_long_keys_have_fewer_counters_and_stay_within_the_bytes(
    stream: list[tuple[str, int]], max_bytes: int, lot: int
) -> None:
    table, truth = counted(stream, 1_000, max_bytes, lot), exact(stream)
    assert table.size <= max_bytes
    for key, count, error in table.ranked():
        assert count - error <= truth[key] <= count
    assert all(truth[key] <= table.floor for key in truth.keys() - table.counts.keys())


@pytest.mark.parametrize("wide", ["", "é", "漢", "😀"])
def test_keys_take_no_more_than_is_counted_for_them(wide: str) -> None:
    """Where one character is wide all of the key's are, which its UTF-8 doesn't show."""
    keys = [f"{at:06}{wide}".ljust(500, "x") for at in range(300)]
    table = counted([(key, 1) for key in keys], 1_000, 1 << 18)
    assert 0 < sum(map(getsizeof, table.counts)) + 140 * len(table) <= table.size <= 1 << 18


def test_whoever_comes_most_is_named_first() -> None:
    """Two of 100,000 keys come a tenth of the time each, and the others once."""
    stream = [(f"k{at}", 1) for at in range(100_000)]
    stream[::10] = [("hammer", 1), ("anvil", 1)] * 5_000
    first, second, *_ = counted(stream, 1_024).ranked()
    assert {first[0], second[0]} == {"hammer", "anvil"}
    assert first[1] - first[2] <= 5_000 <= first[1]


@given(LOTS, st.integers(1, 20))
def test_lots_of_more_keys_than_counters_change_none_of_it(
    lots: list[dict[str, int]], most: int
) -> None:
    """With keys that come as often as others, and such as have a counter or had one."""
    table, truth = SpaceSaving(most), Counter[str]()
    for lot in lots:
        count(table, lot)
        truth.update(lot)
        assert len(table) == min(most, len(truth))
        assert table.floor * most <= truth.total()
        assert all(truth[key] <= table.floor for key in truth.keys() - table.counts.keys())
        for key, came, error in table.ranked():
            assert came - error <= truth[key] <= came
            assert error <= table.floor <= came


@given(st.dictionaries(st.text(max_size=3), st.integers(0, 9), max_size=60), st.integers(0, 20))
def test_those_of_a_lot_that_come_most_may_have_counters(times: dict[str, int], most: int) -> None:
    """Exactly as many as there are counters; none of the others comes more often."""
    _, top, rest = finished(lot_of(times, most))
    assert len(set(top)) == len(top) == min(most, len(times))
    outside = [times[key] for key in times.keys() - set(top)]
    assert max(outside, default=0) == rest
    assert all(times[key] >= rest for key in top)


def test_the_error_of_a_key_is_what_may_have_come_before_it_was_counted() -> None:
    table = SpaceSaving(2)
    count(table, {"a": 5, "b": 4, "c": 3})
    assert (table.ranked(), table.floor) == ([("a", 5, 0), ("b", 4, 0)], 3)
    count(table, {"d": 9})
    assert (table.ranked(), table.floor) == ([("d", 12, 3), ("a", 5, 0)], 4)
    count(table, {"e": 2, "f": 1, "g": 1})
    assert (table.ranked(), table.floor) == ([("d", 12, 3), ("e", 6, 4)], 5)


def test_a_lot_is_made_in_slices() -> None:
    """Of which each looks at so many keys."""
    times = {f"k{at}": 1 + at % 7 for at in range(16 * STEP)}
    slices = lot_of(times, 100)
    assert sum(1 for _ in slices) == 24
    assert len(finished(lot_of(times, 100)).top) == 100
