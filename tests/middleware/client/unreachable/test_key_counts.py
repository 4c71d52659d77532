"""What was decided here by key: the keys that came most, and the rest as one."""

from sidegate.client.unreachable.key_counts import MAX_COUNTED, MAX_TOLD, KeyCounts, of_denials
from sidegate.protocol.outcome_messages import MAX_OUTCOMES, Outcomes


def test_what_was_told_is_counted_anew() -> None:
    counts = KeyCounts()
    counts.add("a", "local", allowed=True, tokens=3)
    counts.add("a", "local", allowed=True, tokens=1)
    counts.add("a", "local", allowed=False, tokens=0)
    assert counts.take() == [("a", "local", 1, 2, 4), ("a", "local", 0, 1, 0)]
    assert counts.take() == []


def test_keys_beyond_a_frame_are_told_as_one() -> None:
    """Those that came least, of each source and verdict."""
    rows = of_denials({f"k{at}": at + 1 for at in range(MAX_TOLD + 10)})
    assert len(rows) == MAX_TOLD + 1
    assert [row for row in rows if row[0] is None] == [(None, "remembered", 0, sum(range(11)), 0)]
    assert sum(row[3] for row in rows) == sum(range(MAX_TOLD + 11))


def test_keys_beyond_the_bound_are_counted_without_a_key() -> None:
    counts = KeyCounts()
    for at in range(2 * MAX_COUNTED):
        counts.add(f"k{at}", "open", allowed=True, tokens=0)
    assert len(counts.counts) == MAX_COUNTED + 1
    assert sum(row[3] for row in counts.take()) == 2 * MAX_COUNTED


def test_all_that_is_beyond_fits_beside_the_keys() -> None:
    """Whatever came: each source and verdict has a row of its own."""
    counts = KeyCounts()
    for source in ("open", "closed", "local"):
        for at in range(MAX_COUNTED):
            counts.add(f"k{at}", source, allowed=at % 2 == 0, tokens=0)
    rows = counts.take()
    assert len(rows) <= MAX_OUTCOMES
    assert Outcomes([], rows).keys == rows
