"""Recent keys: minute by minute, packed when they are over, within their bytes."""

from collections.abc import Mapping

from sidegate_sidecar.reports.recent_keys import MINUTE, MINUTES, RecentKeys


def count(
    keys: RecentKeys, now: int, counts: Mapping[str, int], denied: Mapping[str, int] | None = None
) -> None:
    """Have keys counted, in all slices at once."""
    list(keys.count(counts, denied or {}, now))


def asked(keys: RecentKeys, first: int) -> dict[str, int]:
    """Return the counts of all minutes since one."""
    counts: dict[str, int] = {}
    for ranking, _ in keys.since(first):
        for key, count, _ in ranking.rows:
            counts[key] = counts.get(key, 0) + count
    return counts


def test_each_minute_has_its_own_counts() -> None:
    """Those asked for are there, with the minute that goes on."""
    keys = RecentKeys(1 << 20, "r:")
    for minute in range(5):
        count(keys, minute * MINUTE, {"r:a": 10**minute, f"r:{minute}": 1})
    assert asked(keys, 3) == {"r:a": 11_000, "r:3": 1, "r:4": 1}
    assert asked(keys, 0)["r:a"] == 11_111
    assert asked(keys, 5) == {}


def test_time_that_goes_back_is_of_the_minute_that_goes_on() -> None:
    keys = RecentKeys(1 << 20)
    for now in (5 * MINUTE, 3 * MINUTE, 5 * MINUTE):
        count(keys, now, {"k": 1})
        assert keys.turn(now) == 0
    assert asked(keys, 5) == {"k": 3}


def test_what_is_older_than_ten_minutes_is_gone() -> None:
    keys = RecentKeys(1 << 20)
    for minute in range(30):
        count(keys, minute * MINUTE, {f"k{minute}": 1})
    assert asked(keys, 0) == {f"k{at}": 1 for at in range(30 - MINUTES - 1, 30)}


def test_packed_tables_keep_who_came_most_and_say_what_they_have_dropped() -> None:
    """With the longest keys few fit, and none of those that don't came more often."""
    keys = RecentKeys(1 << 20, "r:")
    for at in range(200):
        count(keys, 0, {f"r:{at:03}" + "x" * 500: 1_000 - at})
    keys.turn(MINUTE)
    ((ranking, _),) = [it for it in keys.since(-1) if it[0].rows]
    kept = len(ranking.rows)
    assert 20 < kept < 200
    assert [count for _, count, _ in ranking.rows] == [1_000 - at for at in range(kept)]
    assert ranking.floor == 1_000 - kept


def test_it_stays_within_its_bytes() -> None:
    """Three quarters of those of its rule, whatever the keys: the rest is for the sums."""
    keys = RecentKeys(1 << 18, "r:")
    for minute in range(12):
        for at in range(3_000):
            key = f"r:{minute}-{at}" + "é" * (at % 200)
            count(keys, minute * MINUTE, {key: 1}, {f"r:{at}": 1})
        assert keys.size <= 3 << 16


def test_in_all_slices_a_minute_that_turns_meanwhile_loses_nothing() -> None:
    """What has been begun in a minute that is over by then counts in the next one."""
    keys = RecentKeys(1 << 20, "r:")
    count(keys, 0, {"r:a": 1})
    slices = keys.count({"r:a": 5}, {"r:a": 3}, MINUTE)
    next(slices)  # it has packed the first minute
    count(keys, 2 * MINUTE, {"r:b": 7})
    list(slices)
    assert asked(keys, 0) == {"r:a": 6, "r:b": 7}
    assert (
        sum(denied.floor + sum(row[1] for row in denied.rows) for _, denied in keys.since(0)) == 3
    )
