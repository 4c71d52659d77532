"""Arcs: all keys between two points have the same targets, whichever rings are asked about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from sidegate_ring.hashring import Ring
from sidegate_sidecar.replication.arcs import Arcs

if TYPE_CHECKING:
    from collections.abc import Iterable

KEYS = [f"key{at}" for at in range(300)]
names = st.sets(st.sampled_from("abcdefgh"), max_size=8)


def ring_of(nodes: Iterable[str]) -> Ring:
    return Ring([*nodes], points=8)


@given(st.lists(names, min_size=1, max_size=4))
def test_keys_are_told_what_they_would_be_each_by_itself(rings: list[set[str]]) -> None:
    all_rings = [ring_of(it) for it in rings]

    def targets_at(place: int) -> tuple[str, ...]:
        return tuple({"/".join(ring.pair_at(place)): None for ring in all_rings})

    def never(key: str) -> tuple[str, ...]:
        raise AssertionError(key)

    expected: dict[str, list[str]] = {}
    for key in KEYS:
        for target in targets_at(all_rings[0].place(key)):
            expected.setdefault(target, []).append(key)
    arcs = Arcs(all_rings, targets_at)
    for _ in range(2):  # the second time from what it remembers
        assert arcs.targets(KEYS, never) == expected


def test_an_arc_that_cant_tell_has_each_key_asked_about_each_time() -> None:
    asked: list[str] = []

    def each(key: str) -> list[str]:
        asked.append(key)
        return ["b"]

    arcs = Arcs([ring_of("ab")], lambda _: None)
    for _ in range(2):
        assert arcs.targets(KEYS, each) == {"b": KEYS}
    assert asked == KEYS * 2


def test_an_arc_is_thought_out_once() -> None:
    places: list[int] = []

    def targets_at(place: int) -> tuple[str, ...]:
        places.append(place)
        return ("b",)

    arcs = Arcs([ring_of("ab")], targets_at)
    for _ in range(3):
        assert arcs.targets(KEYS, lambda _: ()) == {"b": KEYS}
    assert len(places) <= 2 * 8 + 1
