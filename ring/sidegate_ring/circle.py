"""The circle: the points of some nodes in order, from those of nearly the same nodes. Pure."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from sidegate_ring.places import CIRCLE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

MAX_STEPS = 4  # nodes that come or go one by one: more are put in order from nothing as quickly


class Circle:
    """`positions`, sorted, and `owners`: whose each is, and behind them the first again. Immutable.

    `places` are the sorted positions of each node. Of two nodes on one position the first by name
    stands first, whoever came first.
    """

    __slots__ = ("owners", "places", "positions")

    def __init__(
        self, places: Mapping[str, Sequence[int]], positions: list[int], owners: list[str]
    ) -> None:
        self.places = places
        # Plain lists: an array('Q') would save two thirds of the memory, but bisect needs twice the
        # time in it at 3 and 50 nodes (520 ns, not 290; 1,000 ns, not 520): a probe makes an int.
        self.positions = positions
        self.owners = owners + owners[:1]

    def next(self, places: Mapping[str, Sequence[int]]) -> Circle:
        """Return the circle of other nodes; a node that has other places than here is another."""
        mine = self.places
        gone = [name for name in mine if mine[name] is not places.get(name)]
        new = [name for name in places if places[name] is not mine.get(name)]
        if not gone and not new:
            return self
        if len(gone) + len(new) > MAX_STEPS:
            return in_order(places)
        positions, owners = self.positions, self.owners[: len(self.positions)]
        for name in gone:
            positions, owners = _without(positions, owners, name, mine[name])
        for name in new:
            positions, owners = _with(positions, owners, name, places[name])
        return Circle(places, positions, owners)


def in_order(places: Mapping[str, Sequence[int]]) -> Circle:
    """Return the circle of nodes from nothing."""
    owner_of: dict[int, str] = {}
    for name, its in places.items():
        owner_of |= dict.fromkeys(its, name)
    if len(owner_of) == sum(map(len, places.values())):
        positions = sorted(owner_of)
        return Circle(places, positions, [owner_of[place] for place in positions])
    points = sorted((place, name) for name, its in places.items() for place in its)
    return Circle(places, [place for place, _ in points], [name for _, name in points])


def _with(
    positions: list[int], owners: list[str], name: str, places: Sequence[int]
) -> tuple[list[int], list[str]]:
    """Return the points with those of one more node."""
    next_positions: list[int] = []
    next_owners: list[str] = []
    start = 0
    for place, slot in zip(places, _slots(positions, owners, name, places), strict=True):
        next_positions += [*positions[start:slot], place]
        next_owners += [*owners[start:slot], name]
        start = slot
    return next_positions + positions[start:], next_owners + owners[start:]


def _without(
    positions: list[int], owners: list[str], name: str, places: Sequence[int]
) -> tuple[list[int], list[str]]:
    """Return the points without those of a node."""
    next_positions: list[int] = []
    next_owners: list[str] = []
    start = 0
    for slot in _slots(positions, owners, name, places):
        next_positions += positions[start:slot]
        next_owners += owners[start:slot]
        # A node may stand on one position twice; then the two have the same slot.
        start = max(start, slot) + 1
    return next_positions + positions[start:], next_owners + owners[start:]


def _slots(
    positions: list[int], owners: list[str], name: str, places: Sequence[int]
) -> Iterator[int]:
    """Yield where each of a node's places belongs among the points."""
    slot = 0
    for place in places:
        slot = bisect_left(positions, place, slot)
        while positions[slot : slot + 1] == [place] and owners[slot] < name:
            slot += 1
        yield slot


def shares(positions: Sequence[int], owners: Sequence[str]) -> dict[str, float]:
    """Return each owner's part of the circle: whole arcs are added up, then divided once."""
    arcs = dict.fromkeys(owners, 0)
    before = positions[-1] - CIRCLE if positions else 0
    for place, owner in zip(positions, owners, strict=False):
        arcs[owner] += place - before
        before = place
    return {owner: arc / CIRCLE for owner, arc in arcs.items()}
