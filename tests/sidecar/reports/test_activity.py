"""Activity: each check counts under its rule, and of rules there are only so many."""

import tracemalloc

from sidegate.protocol.keys import OTHER, rule_of
from sidegate_sidecar.reports.activity import RULE_BYTES, Activity
from sidegate_sidecar.reports.recent_keys import MINUTE
from sidegate_sidecar.reports.series import Column
from tests.sidecar.reports.reporting import decide


def once(*keys: str) -> list[tuple[str, int, int]]:
    return [(key, 1, 1) for key in keys]


def test_the_rule_of_a_key_is_before_its_first_colon() -> None:
    names = {
        "api:7": "api",
        "shop/api:a:b": "shop/api",
        "customer-7": OTHER,
        ":x": OTHER,
        "": OTHER,
    }
    assert {key: rule_of(key) for key in names} == names


def test_a_rule_that_comes_as_the_65th_counts_with_the_others() -> None:
    """With those that name no rule."""
    activity = Activity(most=64)
    decide(activity, "owner", Column.ALLOWED, once(*(f"r{at}:k" for at in range(70)), "k"), 0)
    assert len(activity.by_rule) == 65
    assert activity.by_rule[OTHER].totals == {
        ("owner", Column.ALLOWED): 7,
        ("owner", Column.COST): 7,
    }
    assert set(activity.by_rule[OTHER].keys.asked.counts) == {
        *(f"r{at}:k" for at in range(64, 70)),
        "k",
    }


def test_a_rule_that_has_had_nothing_for_three_hours_gives_its_place_up() -> None:
    activity = Activity(most=2)
    decide(activity, "owner", Column.ALLOWED, once("a:k", "b:k"), MINUTE)
    decide(activity, "owner", Column.ALLOWED, once("b:k"), 100 * MINUTE)
    decide(activity, "owner", Column.ALLOWED, once("c:k"), 182 * MINUTE)
    assert set(activity.by_rule) == {OTHER, "b", "c"}


def test_a_rule_that_comes_together_with_another_keeps_its_place() -> None:
    """Also if it is new, or has had nothing for three hours."""
    activity = Activity(most=2)
    for now in (5 * MINUTE, 300 * MINUTE):
        decide(activity, "owner", Column.ALLOWED, once("a:k", "b:k", "c:k"), now)
        assert set(activity.by_rule) == {OTHER, "a", "b"}


def test_tokens_are_those_that_were_charged() -> None:
    activity = Activity()
    decide(activity, "owner", Column.ALLOWED, [("a:k", 3, 15)], 0)
    decide(activity, "backup", Column.DENIED, [("a:k", 2, 10)], 0)
    decide(activity, "owner", Column.ERRORS, [("a:k", 2, 10)], 0)
    assert activity.by_rule["a"].sums(60, 0) == {
        "owner": [3, 0, 0, 2, 15],
        "backup": [0, 2, 0, 0, 0],
    }
    assert activity.by_rule["a"].keys.asked.counts == {"a:k": 5}
    assert activity.by_rule["a"].keys.denied.counts == {"a:k": 2}


def test_a_rule_takes_no_more_than_its_bytes() -> None:
    """Neither as it counts them, nor as the process does."""
    sources = ("owner", "backup", "local", "open", "closed", "remembered", "memory", "new")
    tracemalloc.start()
    try:
        activity, before = Activity(), tracemalloc.get_traced_memory()[0]
        for second in range(0, 720, 6):
            for source in sources:
                keys = once(*(f"api:10.{second}.{at}.{len(source)}" for at in range(100)))
                decide(activity, source, Column.DENIED, keys, second * 10**9)
                del keys
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert activity.by_rule["api"].size <= RULE_BYTES
    assert taken <= 1.1 * RULE_BYTES
