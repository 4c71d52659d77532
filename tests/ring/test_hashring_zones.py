"""Zones: backups in other zones than owners, the same for all, and what a zone that comes moves."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidegate_ring import Ring

KEYS = [f"user:{i}" for i in range(300)]
POINTS = 32
zones = st.dictionaries(st.text("abcdef", min_size=1, max_size=3), st.sampled_from("xyz"))


def ring_of(zones: dict[str, str]) -> Ring:
    return Ring([*zones], points=POINTS).zoned(zones)


@given(zones)
def test_a_backup_is_the_next_node_of_another_zone_if_there_is_one(zones: dict[str, str]) -> None:
    ring, plain = ring_of(zones), Ring([*zones], points=POINTS)
    assert ring.is_zoned == (len({*zones.values()}) > 1)
    for key in KEYS[:40] if zones else []:
        order = plain.owners(key, len(zones))
        others = [it for it in order[1:] if zones[it] != zones[order[0]]]
        its_own = [it for it in order[1:] if zones[it] == zones[order[0]]]
        assert ring.owners(key, len(zones)) == (order[0], *others, *its_own)
        assert ring.pair(key) == (*ring.owners(key, 2), "")[:2]
        assert ring.owner(key) == plain.owner(key)


@pytest.mark.parametrize("zones", [{}, {"a": "x", "b": "x", "c": "x"}, {"a": "x", "b": "y"}])
def test_zones_that_do_not_count_leave_the_ring_as_it_is(zones: dict[str, str]) -> None:
    """Where a node doesn't say its zone, as none of an older release does, or all are in one."""
    plain = Ring([*"abc"], points=POINTS)
    ring = plain.zoned(zones)
    assert not ring.is_zoned
    assert ring.digest == plain.digest
    assert [ring.pair(key) for key in KEYS] == [plain.pair(key) for key in KEYS]


def test_rings_with_other_zones_are_others() -> None:
    rings = [ring_of({"a": "x", "b": "y", "c": it}) for it in "xyz"]
    assert len({ring.digest for ring in rings} | {Ring([*"abc"], points=POINTS).digest}) == 4
    assert rings[0] == ring_of({"c": "x", "b": "y", "a": "x"})
    assert rings[0].digest == "391d54ad9daee866"  # never changes: releases have to agree


@given(zones, st.sampled_from("xyz"))
def test_who_comes_takes_places_only_for_itself(zones: dict[str, str], zone: str) -> None:
    """No node comes next to a key that it wasn't next to, but the newcomer; also from nobody."""
    zones.pop("new", None)
    before, after = ring_of(zones), ring_of({**zones, "new": zone})
    for key in KEYS:
        assert {*after.pair(key)} - {*before.pair(key)} <= {"new", ""}


def test_a_zone_that_comes_moves_backups_and_no_more_owners_than_its_share() -> None:
    before = dict.fromkeys("abcdef", "x")
    after = before | {"g": "y", "h": "y", "i": "y"}
    one, other = ring_of(before), ring_of(after)
    moved = sum(one.owner(key) != other.owner(key) for key in KEYS)
    assert moved == sum(other.owner(key) in "ghi" for key in KEYS)
    held = Counter(other.pair(key)[1] for key in KEYS)
    assert sum(held[name] for name in "ghi") == sum(other.owner(key) in "abcdef" for key in KEYS)


def test_zones_are_kept_when_a_node_goes_and_wanted_when_one_comes() -> None:
    ring = ring_of({"a": "x", "b": "y", "c": "x"})
    assert ring.without_node("b").zones == {"a": "x", "c": "x"}
    assert ring.without_node("c") == ring_of({"a": "x", "b": "y"})
    assert ring.with_node("d").digest == Ring([*"abcd"], points=POINTS).digest
    assert ring.zoned({"a": "x", "b": "y", "c": "x", "d": "elsewhere"}) is ring


def test_whether_nodes_count_as_elsewhere_can_be_told() -> None:
    ring = ring_of({"a": "x", "b": "y", "c": "x"})
    assert ring.orders_as(ring_of({"a": "x", "b": "y"}))
    assert not ring.orders_as(ring_of({"a": "y", "b": "x"}))
    assert not ring.orders_as(Ring([*"abc"], points=POINTS))
