"""Points in order: only when somebody looks for a key, and always the same."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidegate_ring import Ring
from sidegate_ring.circle import Circle
from tests.ring.rings import POINTS, build, hashes, lists, names, weights


@given(st.lists(weights, min_size=1, max_size=4), st.lists(st.booleans()), hashes)
def test_a_ring_is_the_same_whatever_was_looked_up_on_those_before_it(
    rings: list[dict[str, int]], looks: list[bool], place: Callable[[str], int]
) -> None:
    ring = Ring(points=POINTS, hash=place)
    for nodes, looks_up in zip(rings, [*looks, *[False] * len(rings)], strict=False):
        ring = ring.of_nodes(nodes)
        if looks_up:
            ring.pair("key")
    assert lists(ring) == lists(build(rings[-1], place))
    assert ring.digest == build(rings[-1], place).digest


LOOKS: dict[str, Callable[[Ring], object]] = {
    "owner": lambda ring: ring.owner("key"),
    "pair": lambda ring: ring.pair("key"),
    "owners": lambda ring: ring.owners("key", 2),
    "arcs": lambda ring: ring.arcs(["key"]),
    "arc_end": lambda ring: ring.arc_end(3),
    "share": lambda ring: ring.share("n1"),
}


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_each_look_puts_the_points_in_order_first(look: Callable[[Ring], object]) -> None:
    nodes = [f"n{at}" for at in range(6)]
    grown = Ring(points=POINTS)
    for name in nodes:
        grown = grown.with_node(name)
    built = Ring(nodes, points=POINTS)
    lists(built)
    assert look(grown) == look(built)
    assert lists(grown) == lists(built)


def test_rings_that_nobody_looks_at_cost_no_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their digests tell them apart without it."""

    def never(*_: object) -> Circle:
        raise AssertionError

    ring = Ring(["n0"], points=POINTS)
    ring.pair("key")
    monkeypatch.setattr(Circle, "next", never)
    for at in range(1, 20):
        ring = ring.with_node(f"n{at}")
        assert ring.digest == Ring(ring.nodes, points=POINTS).digest
    ring = ring.without_node("n3").zoned({})
    monkeypatch.undo()
    assert lists(ring) == lists(Ring(ring.nodes, points=POINTS))


@given(st.sets(names, min_size=1), st.sets(names, min_size=1), hashes)
def test_few_steps_and_many_come_to_the_same(
    one: set[str], other: set[str], place: Callable[[str], int]
) -> None:
    before = build(dict.fromkeys(one, 1), place)
    lists(before)
    after = before.of_nodes(other)
    assert lists(after) == lists(build(dict.fromkeys(other, 1), place))
