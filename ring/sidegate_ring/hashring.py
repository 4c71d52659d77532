"""The ring: which node owns a key, and who is asked after it.

Consistent hashing (Karger et al., "Consistent Hashing and Random Trees", 1997). Picture the 64-bit
numbers as a circle. Every node is hashed to many points on it, a key to one, and the key belongs
to the node whose point comes at or next after the key's. So a node that joins takes keys from
others but moves none between them, and a node that leaves hands each of its keys to the node next
on the circle, which until then was that key's backup. With one point a node the arcs would differ
wildly in length; `POINTS` of them even that out.

Nobody hands out the ring: each node builds it for itself from the names it knows. Two nodes agree
on the owner of every key exactly when they hold the same ring, and to find that out they compare
`digest`: 16 letters that stand for the names, the weights, the points and the hashes, and for the
zones if they count.

Zones. Where all nodes say in which zone they run, and there are two or more, the backup of a key
is the next node on the circle that is in another zone than its owner. Who owns a key doesn't depend
on zones. No order of nodes by key alone could have both the backup elsewhere and be the next owner,
whichever node goes; so the copies go with the zone, and whoever owns a key by the next ring is sent
them by the backup.

That is also why the tests hold golden vectors. If the hash, the text of a point or the rule for
ties changed between two releases, then in the middle of a rolling deploy old and new nodes would
each be sure of a different owner, and limits would be granted twice. To change them is to change
the protocol.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice
from typing import TYPE_CHECKING, Final, cast

from sidegate_ring.circle import in_order, shares
from sidegate_ring.places import CIRCLE, position
from sidegate_ring.successors import begun, successor

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sidegate_ring.circle import Circle
    from sidegate_ring.places import Hash

POINTS: Final = 512
"""Points that a node has for each unit of its weight.

The largest share among 3, 10 and 50 nodes is, at the 99th percentile over random names, 1.10, 1.14
and 1.16 times the mean; with 256 points it is 1.14, 1.19 and 1.24. A point costs 61 bytes.
"""

MAX_KNOWN: Final = 16_384
"""Keys whose owners are remembered: 3 MB, and more than a node is asked about in a moment."""

MAX_WEIGHT: Final = 100
"""A weight above it is a slip of the hand, and must not cost every node its memory."""


@dataclass(frozen=True, slots=True, init=False, eq=False, repr=False)
class Ring:
    """The nodes of a cluster on a circle; immutable, a change makes another ring.

    `nodes` are names, or names with weights from 1 to `MAX_WEIGHT`; order and repetition don't
    matter. `hash` takes a text to a position, 0 <= position < 2**64. Otherwise ValueError. Keys
    are placed by `key_hash`, which is `hash` too unless it is given: one that strangers can't work
    out, so that they can't make up keys for one node (`places.seeded`).

    Points are put in order when a key is first looked up: of the rings that a cluster passes
    through while many nodes come, most are asked about no key. That takes 1, 15, 200 ms for 3, 50,
    500 nodes, and 1, 3, 15 for a ring that was made of another one with nearly the same nodes. The
    backups are found then too; those of a large ring where a key is looked up, each for itself.
    """

    nodes: tuple[str, ...]
    """The names, sorted."""
    points: int
    """Points that a node has for each unit of its weight."""
    zones: Mapping[str, str]
    """Where its nodes run, as far as that is known; it counts only if `is_zoned`."""
    is_zoned: bool
    """Are backups in other zones than owners, as far as there are any?"""

    _weights: dict[str, int]
    _hash: Hash
    _key_hash: Hash
    _places: dict[str, list[int]]  # the points of each node, sorted
    _before: Circle | None  # of other nodes, from which this one's can be made; then this one's
    _positions: list[int]  # none until a key is looked up
    _owners: list[str]  # one more than positions: after the last point comes the first again
    _digest: str  # worked out when it is asked for
    _shares: dict[str, float]  # filled when first asked for
    _pairs: list[tuple[str, str] | None]  # to each of _owners it and its backup, once it is known
    _known: dict[str, tuple[str, str]]  # of the latest keys

    def __init__(
        self,
        nodes: Iterable[str] | Mapping[str, int] = (),
        *,
        points: int = POINTS,
        hash: Hash = position,  # noqa: A002 - the word for it; callers name it, nothing here shadows
        key_hash: Hash | None = None,
    ) -> None:
        """Build the ring from nothing."""
        if points < 1:
            raise ValueError(f"points={points!r}: a node needs at least one")
        weights = _weights_of(nodes)
        places = {name: _places(name, weights[name], points, hash) for name in weights}
        self._settle(weights, points, (hash, key_hash or hash), places, None, {})

    def _settle(
        self,
        weights: dict[str, int],
        points: int,
        hashes: tuple[Hash, Hash],
        places: dict[str, list[int]],
        before: Circle | None,
        zones: Mapping[str, str],
    ) -> None:
        """Become the ring of these nodes: weights sorted by name."""
        zones = {name: zones[name] for name in weights if zones.get(name)}
        values: dict[str, object] = {
            "nodes": tuple(weights),
            "points": points,
            "zones": zones,
            "is_zoned": len(zones) == len(weights) and len({*zones.values()}) > 1,
            "_weights": weights,
            "_hash": hashes[0],
            "_key_hash": hashes[1],
            "_places": places,
            "_before": before,
            "_positions": [],
            "_owners": [],
            "_digest": "",
            "_shares": {},
            "_pairs": [],
            "_known": {},
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def _order(self) -> None:
        """Put the points in order, now that somebody looks for a key."""
        places, before = self._places, self._before
        circle = before.next(places) if before else in_order(places)
        object.__setattr__(self, "_before", circle)
        object.__setattr__(self, "_positions", circle.positions)
        object.__setattr__(self, "_owners", circle.owners)

    @property
    def digest(self) -> str:
        """16 hex digits, the same exactly where nodes, weights, points and hashes are the same."""
        if not self._digest:
            # The lowest position and the place of a key stand for the hashes.
            witnesses = [min(it[0] for it in self._places.values())] if self._places else []
            if self._hash is not self._key_hash:
                witnesses.append(self._key_hash(""))
            zones = self.zones.items() if self.is_zoned else ()
            digest = _digest(self._weights, self.points, witnesses, dict(zones))
            object.__setattr__(self, "_digest", digest)
        return self._digest

    def owner(self, key: str) -> str:
        """Return the node that decides about the key; LookupError on a ring without nodes."""
        if not self._owners:
            self._order()
        try:
            return self._owners[bisect_left(self._positions, self._key_hash(key))]
        except IndexError:
            raise LookupError(f"nobody owns {key!r}: the ring has no nodes") from None

    def owners(self, key: str, n: int) -> tuple[str, ...]:
        """Return n different nodes: the owner, then the backups in the order they are asked.

        Or all nodes if they are fewer. The key goes to each of them when those before it leave, but
        where zones count.
        """
        return tuple(islice(self.walk(key), n))

    def walk(self, key: str) -> Iterator[str]:
        """Yield all nodes in the order in which they are asked about the key, the owner first.

        Where zones count, those in others than the owner's come before the rest of its own.
        """
        order = self._along(key)
        if not self.is_zoned:
            yield from order
            return
        owner = next(order)
        yield owner
        its_zone: list[str] = []
        for name in order:
            if self.zones[name] == self.zones[owner]:
                its_zone.append(name)
            else:
                yield name
        yield from its_zone

    def _along(self, key: str) -> Iterator[str]:
        """Yield all nodes as they stand on the circle from a key on."""
        if not self._owners:
            self._order()
        at = bisect_left(self._positions, self._key_hash(key))
        seen: set[str] = set()
        while len(seen) < len(self.nodes):
            name = self._owners[at]
            if name not in seen:
                seen.add(name)
                yield name
            at = (at + 1) % len(self._positions)

    def pair(self, key: str) -> tuple[str, str]:
        """Return the owner and its backup, "" for what there isn't; `owners(key, 2)`, but quick.

        The keys that were looked up last are remembered: 60 ns instead of 400 for a busy one.
        """
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()  # cheaper than an order of use
            found = self._known[key] = self.pair_at(self._key_hash(key))
        return found

    def pairs(self, keys: Sequence[str]) -> list[tuple[str, str]]:
        """Return the `pair` of each of these keys: of busy ones in half the time."""
        found = list(map(self._known.get, keys))
        return cast("list[tuple[str, str]]", found) if all(found) else list(map(self.pair, keys))

    def surely_owns(self, name: str, rows: Iterable[tuple[str, *tuple[object, ...]]]) -> bool:
        """Tell whether a node owns the keys that these rows begin with, by what is remembered.

        False too where one wasn't looked up of late. For busy keys it takes half the time of
        `pair`, which is then needed for none.
        """
        remembered = self._known.get
        for row in rows:
            found = remembered(row[0])
            if found is None or found[0] != name:
                return False
        return True

    def place(self, key: str) -> int:
        """Return where a key is on the circle; the same on all rings with one hash of keys."""
        return self._key_hash(key)

    def pair_at(self, place: int) -> tuple[str, str]:
        """Return what `pair` does for a key at that place."""
        if not self._pairs:
            if not self._owners:
                self._order()
            self._pairs.extend(begun(self._owners, self.zones if self.is_zoned else {}))
        at = bisect_left(self._positions, place)
        found = self._pairs[at]
        if found is None:
            zones: Mapping[str, str] = self.zones if self.is_zoned else {}
            found = self._pairs[at] = successor(self._owners, zones, at)
        return found

    def arcs(self, keys: Iterable[str]) -> list[int]:
        """Return the number of the arc on which each key is: between which two points.

        All keys on an arc have the same owners, also on rings of some of the nodes only.
        """
        if not self._owners:
            self._order()
        positions, place_of = self._positions, self._key_hash
        return [bisect_left(positions, place_of(key)) for key in keys]

    def arc_end(self, arc: int) -> int:
        """Return a place on an arc: its last one. Behind the last point begins the first arc."""
        if not self._owners:
            self._order()
        return self._positions[arc % len(self._positions)] if self._positions else 0

    def warm(self) -> None:
        """Do a part of what the first look-up would have to do: nothing after two calls."""
        if not self._owners:
            self._order()
        elif not self._pairs:
            self.pair_at(0)

    def share(self, node: str) -> float:
        """Return the part of the circle that the node owns, 0 to 1; 0 for one that isn't here."""
        if not self._shares:
            if not self._owners:
                self._order()
            self._shares.update(shares(self._positions, self._owners))
        return self._shares.get(node, 0.0)

    def weight(self, node: str) -> int:
        """Return the node's weight; 0 for one that isn't here."""
        return self._weights.get(node, 0)

    def of_nodes(self, nodes: Iterable[str] | Mapping[str, int]) -> Ring:
        """Return the ring of other nodes, with the points and hashes of this one."""
        return self._next(_weights_of(nodes), {})

    def zoned(self, zones: Mapping[str, str]) -> Ring:
        """Return the ring of the same nodes in these zones; costs next to nothing."""
        if all(zones.get(name, "") == self.zones.get(name, "") for name in self.nodes):
            return self
        return self._next(self._weights, zones)

    def orders_as(self, other: Ring) -> bool:
        """Do all nodes of another ring that are on this one count as in the same zones on both?"""
        both = [name for name in other.nodes if name in self]
        return all(self.counts_in(name) == other.counts_in(name) for name in both)

    def counts_in(self, node: str) -> str:
        """Return the zone that counts for a node, "" if none does."""
        return self.zones[node] if self.is_zoned and node in self else ""

    def with_node(self, name: str, weight: int = 1) -> Ring:
        """Return the ring with one more node, or with the node's weight changed.

        That of a node whose zone isn't known has no zones, and tells who owns what, until `zoned`.
        """
        if self.weight(name) == weight:
            return self
        return self._next(_weights_of(self._weights | {name: weight}), self.zones)

    def without_node(self, name: str) -> Ring:
        """Return the ring without the node."""
        if name not in self:
            return self
        weights = {node: weight for node, weight in self._weights.items() if node != name}
        return self._next(weights, self.zones)

    def _next(self, weights: dict[str, int], zones: Mapping[str, str]) -> Ring:
        known = self._places
        places = {
            name: known[name]
            if self.weight(name) == weight
            else _places(name, weight, self.points, self._hash)
            for name, weight in weights.items()
        }
        ring = object.__new__(Ring)
        hashes = self._hash, self._key_hash
        ring._settle(weights, self.points, hashes, places, self._before, zones)
        return ring

    def __contains__(self, node: object) -> bool:
        return node in self._weights

    def __len__(self) -> int:
        return len(self.nodes)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Ring):
            return NotImplemented
        return self.digest == other.digest and self._weights == other._weights

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return f"<Ring of {len(self)} nodes, {self.digest}>"


def _weights_of(nodes: Iterable[str] | Mapping[str, int]) -> dict[str, int]:
    """Return the nodes and their weights in the order of their names."""
    if isinstance(nodes, str):
        raise TypeError(f"nodes={nodes!r}: one text, not several names")
    if isinstance(nodes, Mapping):
        weights = cast("Mapping[str, int]", nodes)
    else:
        weights = dict.fromkeys(nodes, 1)
    for name, weight in weights.items():
        if not name:
            raise ValueError("nodes: a node's name is empty")
        if not 1 <= weight <= MAX_WEIGHT:
            raise ValueError(f"nodes: {name!r} weighs {weight!r}, not 1 to {MAX_WEIGHT}")
    return dict(sorted(weights.items()))


def _places(name: str, weight: int, points: int, place_of: Hash) -> list[int]:
    """Return the points of a node, sorted. The "#" keeps node1's 11th apart from node11's 1st."""
    places = sorted([place_of(f"{name}#{i}") for i in range(weight * points)])
    if not 0 <= places[0] <= places[-1] < CIRCLE:
        raise ValueError(f"hash={place_of!r}: it leaves the circle, 0 <= position < 2**64")
    return places


def _digest(
    weights: Mapping[str, int], points: int, witnesses: Sequence[int], zones: Mapping[str, str]
) -> str:
    """Return a name for the ring; the witnesses stand for its hashes."""
    # ascii() puts names in quotes and escapes them, so no two sets of nodes have the same text; and
    # unlike repr() it is the same in every Python, whatever that one's Unicode deems printable.
    parts = points, list(weights.items()), list(witnesses)
    text = ascii((*parts, list(zones.items())) if zones else parts)
    return blake2b(text.encode(), digest_size=8).hexdigest()
