"""Space-Saving: counts are never too small, and never too large by more than they say."""

from collections import Counter
from sys import getsizeof

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidegate_sidecar.reports.space_saving import SpaceSaving, bytes_of_counters

KEYS = st.integers(0, 40).map("k{}".format)
STREAMS = st.lists(st.tuples(KEYS, st.integers(1, 9)), max_size=300)


def counted(
    stream: list[tuple[str, int]], most: int, max_bytes: int = 1 << 20, lot: int = 7
) -> SpaceSaving:
    table = SpaceSaving(most, max_bytes)
    for begin in range(0, len(stream), lot):
        table.add(stream[begin : begin + lot])
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
    assert table.total == truth.total()
    assert table.floor * most <= table.total
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
)
def test_long_keys_have_fewer_counters_and_stay_within_the_bytes(
    stream: list[tuple[str, int]], max_bytes: int
) -> None:
    table, truth = counted(stream, 1_000, max_bytes), exact(stream)
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
