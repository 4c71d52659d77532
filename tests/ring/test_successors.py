"""Successors: the backups of all points are those that are found one by one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidegate_ring import Ring
from sidegate_ring.successors import MAX_AT_ONCE, successor, successors

NAMES = [f"node{i}" for i in range(MAX_AT_ONCE // 512 + 1)]


@given(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=20), st.booleans())
def test_one_point_has_what_it_has_among_all(owners: list[str], is_zoned: bool) -> None:
    owners = ["a", *owners, "f", "a"]  # two at least, in two zones, and the first one again
    zones = dict(zip("abcdef", "xxxxyz", strict=True)) if is_zoned else {}
    found = [successor(owners, zones, at) for at in range(len(owners))]
    assert found == successors(owners, zones)


@pytest.mark.parametrize("zones", [{}, {name: f"{at % 2}" for at, name in enumerate(NAMES)}])
def test_of_a_large_ring_only_what_is_looked_up_is_found(zones: dict[str, str]) -> None:
    """Else the first check after each change of the ring would wait for the backups of all."""
    ring = Ring(NAMES).zoned(zones)
    assert ring.pair("user:1") == ring.owners("user:1", 2)
    assert len([pair for pair in ring._pairs if pair]) == 1
    found = [ring.pair_at(place) for place in (*ring._positions, 2**64 - 1)]
    assert found == successors(ring._owners, ring.zones)
    assert ring._pairs == found


@pytest.mark.parametrize("nodes", [dict.fromkeys(NAMES[:-1], 1), {"alone": len(NAMES)}])
def test_of_a_small_ring_and_one_of_a_single_node_all_are_found(nodes: dict[str, int]) -> None:
    ring = Ring(nodes)
    assert ring.pair("user:1") == (*ring.owners("user:1", 2), "")[:2]
    assert all(ring._pairs)
