"""FrequentKeys: the keys that come most, of however many."""

from sidegate_sidecar.rules_plan.frequent_keys import COUNTERS, MAX_WAITING, FrequentKeys


def test_few_keys_are_counted_exactly() -> None:
    keys = FrequentKeys()
    for key in "abacab":
        keys.add(key)
    assert keys.ranked(2) == [("a", 3, 0), ("b", 2, 0)]
    keys.add("c")
    assert keys.ranked(9) == [("a", 3, 0), ("b", 2, 0), ("c", 2, 0)]


def test_of_many_keys_the_most_frequent_stay() -> None:
    """And what is kept is bounded: each count is off by what all others came at most."""
    keys = FrequentKeys()
    for at in range(4 * MAX_WAITING):
        keys.add(f"once {at}")
        keys.add(f"often {at % 3}")
        assert len(keys._waiting) <= MAX_WAITING
    ranked = keys.ranked(COUNTERS + 1)
    assert len(ranked) <= COUNTERS
    assert {key for key, _, _ in ranked[:3]} == {"often 0", "often 1", "often 2"}
    for key, count, error in ranked[:3]:
        came = sum(key == f"often {at % 3}" for at in range(4 * MAX_WAITING))
        assert count - error <= came <= count
