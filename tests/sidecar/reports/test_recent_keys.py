"""Recent keys: minute by minute, packed when they are over, within their bytes."""

from sidegate_sidecar.reports.recent_keys import MINUTE, MINUTES, RecentKeys


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
        keys.turn(minute * MINUTE)
        keys.asked.add([("r:a", 10**minute), (f"r:{minute}", 1)])
    assert asked(keys, 3) == {"r:a": 11_000, "r:3": 1, "r:4": 1}
    assert asked(keys, 0)["r:a"] == 11_111
    assert asked(keys, 5) == {}


def test_time_that_goes_back_is_of_the_minute_that_goes_on() -> None:
    keys = RecentKeys(1 << 20)
    for now in (5 * MINUTE, 3 * MINUTE, 5 * MINUTE):
        assert keys.turn(now) == 0
        keys.asked.add([("k", 1)])
    assert asked(keys, 5) == {"k": 3}


def test_what_is_older_than_ten_minutes_is_gone() -> None:
    keys = RecentKeys(1 << 20)
    for minute in range(30):
        keys.turn(minute * MINUTE)
        keys.asked.add([(f"k{minute}", 1)])
    assert asked(keys, 0) == {f"k{at}": 1 for at in range(30 - MINUTES - 1, 30)}


def test_packed_tables_keep_who_came_most_and_say_what_they_have_dropped() -> None:
    """With the longest keys few fit, and none of those that don't came more often."""
    keys = RecentKeys(1 << 20, "r:")
    for at in range(200):
        keys.asked.add([(f"r:{at:03}" + "x" * 500, 1_000 - at)])
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
        keys.turn(minute * MINUTE)
        for at in range(3_000):
            keys.asked.add([(f"r:{minute}-{at}" + "é" * (at % 200), 1)])
            keys.denied.add([(f"r:{at}", 1)])
        assert keys.size <= 3 << 16
