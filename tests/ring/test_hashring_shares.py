"""Shares: how much of the circle each node has, and how even that is."""

from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import given

from sidegate_ring import Ring
from sidegate_ring.places import CIRCLE
from tests.ring.rings import build, hashes, identity, weights


@given(weights, hashes)
def test_the_shares_of_all_nodes_are_the_whole_circle(
    nodes: dict[str, int], place: Callable[[str], int]
) -> None:
    ring = build(nodes, place)
    assert sum(map(ring.share, ring.nodes)) == pytest.approx(1, abs=1e-12)


def test_a_share_is_the_arcs_before_the_nodes_points() -> None:
    # points: 2 4 6; the arc from 6 around to 2 is 2's
    ring = Ring(["6", "4", "2"], points=1, hash=identity)
    assert ring.share("4") == ring.share("6") == 2 / CIRCLE
    assert ring.share("2") == float(Fraction(CIRCLE - 4, CIRCLE))
    assert ring.share("stranger") == 0


def test_shares_are_the_parts_of_keys_that_the_nodes_get() -> None:
    ring = Ring({"alpha": 1, "beta": 2})
    owned = sum(ring.owner(f"key {i}") == "beta" for i in range(20_000)) / 20_000
    assert owned == pytest.approx(ring.share("beta"), abs=0.015)  # 4 standard deviations


def test_a_node_of_twice_the_weight_owns_twice_as_much() -> None:
    ring = Ring({"small": 1, "big": 2, "huge": 4})
    assert ring.share("small") == pytest.approx(1 / 7, rel=0.1)
    assert ring.share("big") == pytest.approx(2 / 7, rel=0.1)
    assert ring.share("huge") == pytest.approx(4 / 7, rel=0.1)


@pytest.mark.parametrize(("count", "bound"), [(3, 1.14), (10, 1.18), (50, 1.19)])
@pytest.mark.parametrize(
    "name",
    [
        "n{i}",
        "app-{i}",
        "10.42.{i}.7:7171",
        "[fd00::{i:x}]:7171",
        "shop-7d9f8c6b5-{i:05x}",
        "sidegate-{i}.sidegate.production.svc.cluster.local:7171",
    ],
)
def test_no_node_owns_much_more_than_the_mean(name: str, count: int, bound: float) -> None:
    for first in (0, 1, 1000):
        ring = Ring(name.format(i=i) for i in range(first, first + count))
        assert max(map(ring.share, ring.nodes)) * count <= bound
