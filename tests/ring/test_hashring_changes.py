"""The ring when nodes come, go and change their weight: what a change moves."""

from collections.abc import Callable
from dataclasses import FrozenInstanceError

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sidegate_ring import Ring
from sidegate_ring.places import seeded
from tests.ring.rings import POINTS, build, collide, hashes, lists, names, on_five, weights

KEYS = [f"user:{i}" for i in range(400)]
SEED = bytes(range(32))


@given(st.data(), weights, hashes)
def test_the_order_of_the_nodes_does_not_matter(
    data: st.DataObject, nodes: dict[str, int], place: Callable[[str], int]
) -> None:
    shuffled = dict(data.draw(st.permutations(list(nodes.items()))))
    one, other = build(nodes, place), build(shuffled, place)
    assert lists(one) == lists(other)
    assert one == other
    assert hash(one) == hash(other)
    assert one.digest == other.digest


@given(st.data(), weights, hashes)
@example(data=None, nodes={"a": 1, "b": 1, "c": 1}, place=on_five)  # all points on one
def test_a_ring_grown_node_by_node_is_the_ring_built_at_once(
    data: st.DataObject | None, nodes: dict[str, int], place: Callable[[str], int]
) -> None:
    items = list(nodes.items())
    grown = Ring(points=POINTS, hash=place)
    for name, weight in data.draw(st.permutations(items)) if data else items[::-1]:
        grown = grown.with_node(name, weight)
    assert grown == build(nodes, place)
    assert lists(grown) == lists(build(nodes, place))


def test_a_changed_ring_places_keys_as_the_one_it_was_made_of() -> None:
    built = Ring(["alpha", "beta"], points=POINTS, hash=collide, key_hash=seeded(SEED))
    grown = built.without_node("beta").with_node("beta")
    others = Ring(["gamma"], points=POINTS, hash=collide, key_hash=seeded(SEED))
    for one, other in ((built, grown), (built.of_nodes(["gamma"]), others)):
        assert one == other
        assert lists(one) == lists(other)
        assert [one.place(key) for key in KEYS] == [other.place(key) for key in KEYS]


@given(weights, names, st.integers(1, 3), hashes)
def test_a_node_that_leaves_leaves_no_trace(
    nodes: dict[str, int], name: str, weight: int, place: Callable[[str], int]
) -> None:
    without = build({node: nodes[node] for node in nodes if node != name}, place)
    left = build(nodes, place).with_node(name, weight).without_node(name)
    assert left == without
    assert lists(left) == lists(without)


@given(weights, names, hashes)
def test_a_join_moves_keys_only_to_the_newcomer(
    nodes: dict[str, int], newcomer: str, place: Callable[[str], int]
) -> None:
    nodes.pop(newcomer, None)
    before = build(nodes, place)
    after = before.with_node(newcomer)
    for key in KEYS if nodes else []:
        assert after.owner(key) in {before.owner(key), newcomer}


@given(weights, hashes)
def test_a_leave_moves_only_the_keys_of_the_leaver_and_to_their_backups(
    nodes: dict[str, int], place: Callable[[str], int]
) -> None:
    before = build({**nodes, "stays": 1}, place)
    for leaver in nodes.keys() - {"stays"}:
        after = before.without_node(leaver)
        for key in KEYS[:50]:
            owner, backup = before.owners(key, 2)
            assert after.owner(key) == (backup if owner == leaver else owner)


def test_a_newcomer_takes_its_fair_part_of_the_keys() -> None:
    before = Ring(["alpha", "beta", "gamma"])
    after = before.with_node("delta")
    moved = sum(before.owner(f"{i}") != after.owner(f"{i}") for i in range(4_000)) / 4_000
    assert moved == pytest.approx(after.share("delta"), abs=0.03)  # 4 standard deviations
    assert after.share("delta") == pytest.approx(0.25, rel=0.14)


def test_a_change_leaves_the_old_ring_as_it_was() -> None:
    ring = Ring({"alpha": 1, "beta": 2}, points=POINTS)
    before = [list(part) for part in lists(ring)]
    assert len(ring.with_node("gamma").without_node("alpha")) == 2
    assert [list(part) for part in lists(ring)] == before
    assert ring.nodes == ("alpha", "beta")
    with pytest.raises(FrozenInstanceError):
        ring.nodes = ()  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue] - the point


def test_a_change_that_changes_nothing_returns_the_same_ring() -> None:
    ring = Ring({"alpha": 1, "beta": 2}, points=POINTS)
    assert ring.with_node("beta", 2) is ring
    assert ring.without_node("gamma") is ring


def test_a_node_may_change_its_weight() -> None:
    ring = Ring({"alpha": 1, "beta": 2}, points=POINTS).with_node("beta", 3)
    assert ring == Ring({"alpha": 1, "beta": 3}, points=POINTS)
    assert lists(ring) == lists(Ring({"alpha": 1, "beta": 3}, points=POINTS))
