"""The next ring: made from the last, and the same as one made anew."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from sidegate_ring.hashring import Ring
from sidegate_ring.places import position, seeded
from sidegate_sidecar.cluster.routes.rings import next_ring

# Rings


SEED = bytes(range(32))
names = st.lists(st.text(min_size=1, max_size=4), max_size=12, unique=True).map(sorted)


@given(st.lists(names, min_size=1, max_size=4))
def test_the_next_ring_is_the_ring_of_its_names(rings: list[list[str]]) -> None:
    """Whether it is made from the last one or from nothing, with its points and its seed."""
    ring = Ring(points=4, key_hash=seeded(SEED))
    for before, after in pairwise([[], *rings]):
        assert ring.nodes == tuple(before)
        ring = next_ring(ring, tuple(after), {})
        assert ring == Ring(after, points=4, key_hash=seeded(SEED))


def test_only_points_of_those_who_come_are_hashed() -> None:
    hashed: list[str] = []

    def noting(text: str) -> int:
        hashed.append(text)
        return position(text)

    ring = Ring([f"n{at}" for at in range(12)], points=4, hash=noting)
    hashed.clear()
    next_ring(ring, (*ring.nodes[1:], "new"), {})
    assert {text.partition("#")[0] for text in hashed} == {"new"}
    hashed.clear()
    next_ring(ring, ring.nodes[:3], {})
    assert not hashed
