"""Series: the sums of a window are those of what was counted in it."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from sidegate_sidecar.reports.series import COLUMNS, MAX_VALUE, Column, Series

CELLS = 7
ADDED = st.tuples(st.sampled_from(["owner", "backup"]), st.sampled_from(Column), st.integers(1, 99))


@given(
    st.lists(st.tuples(ADDED, st.integers(-2, 12)), max_size=60),
    st.integers(1, CELLS),
    st.integers(0, 9),
)
def test_sums_are_those_of_the_last_cells(
    added: list[tuple[tuple[str, Column, int], int]], cells: int, later: int
) -> None:
    """Wherever time jumps; what comes when it has gone back counts as the newest."""
    series, now, newest = Series(CELLS, 10), 1_000, 0
    truth: Counter[tuple[str, Column, int]] = Counter()
    for (source, column, count), step in added:
        now += step * 5
        newest = max(newest, now // 10)
        series.add(source, column, count, now)
        truth[source, column, newest] += count
    now += later * 5
    first = max(newest, now // 10) - cells + 1
    expected = [
        [sum(n for (_, at, cell), n in truth.items() if at is column and cell == first + offset)
         for offset in range(cells)]
        for column in Column
    ]  # fmt: skip
    assert series.line(cells, now) == expected
    sums = series.sums(cells, now)
    for column in Column:
        assert sum(it[column] for it in sums.values()) == sum(expected[column])


def test_sources_that_are_not_known_are_one() -> None:
    """They come from newer nodes, as text."""
    series = Series(CELLS, 10)
    for source in ("owner", "made up", "and more"):
        series.add(source, Column.DENIED, 1, 50)
    assert {source: it[Column.DENIED] for source, it in series.sums(1, 50).items()} == {
        "owner": 1,
        "other": 2,
    }


def test_what_is_too_much_for_a_cell_stays_at_the_most() -> None:
    series = Series(CELLS, 10)
    for _ in range(3):
        series.add("owner", Column.COST, MAX_VALUE - 1, 0)
    assert series.sums(1, 0) == {"owner": [0] * (COLUMNS - 1) + [MAX_VALUE]}


def test_it_is_empty_when_all_of_it_has_passed() -> None:
    series = Series(CELLS, 10)
    assert series.is_empty(0)
    series.add("owner", Column.ALLOWED, 1, 100)
    assert not series.is_empty(169)
    assert series.is_empty(170)
    assert series.line(CELLS, 170) == [[0] * CELLS] * COLUMNS
