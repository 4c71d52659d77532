"""A ring that stays is put in order before somebody looks for a key on it."""

from sidegate_ring.hashring import Ring
from sidegate_sidecar.cluster.routes.warming import STAYS_AFTER, Warming

NOW = 10**15


def test_a_ring_that_stays_is_warmed_a_part_in_each_tick() -> None:
    ring, warming = Ring(["a", "b"], points=4), Warming()
    warming.tick(ring, NOW)
    warming.tick(ring, NOW + STAYS_AFTER - 1)
    assert not ring._owners
    warming.tick(ring, NOW + STAYS_AFTER)
    assert ring._owners
    assert not ring._pairs
    warming.tick(ring, NOW + STAYS_AFTER)
    pairs = [*ring._pairs]
    assert pairs
    warming.tick(ring, NOW + STAYS_AFTER)
    assert ring._pairs == pairs


def test_rings_that_pass_by_are_left_alone() -> None:
    warming = Warming()
    rings = [Ring([name], points=4) for name in "abcdef"]
    for at, ring in enumerate(rings):
        warming.tick(ring, NOW + at * STAYS_AFTER)
    assert not any(ring._owners for ring in rings)
