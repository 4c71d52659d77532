"""What a node knows of checks that were decided, as long as another node may decide the same. Pure.

An owner that is late may charge a check that its backup was asked about meanwhile. So a forwarded
check has an id: the serial of its first forward and its place there, which it keeps when another
node is asked. Each node remembers what it has decided itself, and what was decided in its place;
and what of the latter didn't fit into a bucket any more, since that is still to be taken off what
it gives back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import TypeAlias

    from sidegate.protocol.messages import Answer, Check

    Places: TypeAlias = "Sequence[int] | Mapping[int, int] | None"
    Charges: TypeAlias = "Sequence[int | None]"  # tokens; None for an error, which decides nothing
    # Where each place is in the other: a list of places at first, looked up in a mapping.
    Piece: TypeAlias = tuple[Places, Charges]

MAX_DECIDED = 16_384
"""Checks in one of two generations, 3 MB in all. A node that is forwarded 50,000 a second knows
those of its last 300 ms: after a standstill, of the time before it."""
LASTS = 5 * 10**9  # ns of a generation, at least, on a node with less to do


class InPlace(NamedTuple):
    """A check that another node has decided in our place, and what it has charged (tokens)."""

    by: str
    cost: int


class _Generation:
    """What was decided for some time: pieces of frames, and single checks by others."""

    __slots__ = ("beyond", "count", "heard", "in_place", "own", "since")

    def __init__(self, since: int | None = None) -> None:
        self.own: dict[int, tuple[Piece, ...]] = {}  # by serial; all serials that are known
        self.in_place: dict[int, dict[int, InPlace]] = {}  # by serial and place
        self.heard: set[int] = set()  # serials whose askers listen to nobody else
        self.beyond: dict[tuple[str, str], int] = {}  # ticks by text of the limit and key
        self.count = 0
        self.since = since  # None before the next tick


class Decided:
    """Checks by their ids, in two generations of which the older one goes when the newer is full.

    So at least MAX_DECIDED are remembered, and, unless there are more, for LASTS ns.
    """

    def __init__(self) -> None:
        self._new = _Generation()
        self._old = _Generation()

    def note(self, serial: int, places: Sequence[int] | None, charges: Charges) -> None:
        """Remember what this node has charged; called for each frame that was forwarded."""
        new = self._room()
        new.count += len(charges)
        piece = places, charges
        if serial in new.own:
            new.own[serial] += (piece,)
        else:  # still plain: a microsecond less for each frame that is forwarded
            new.own[serial] = (piece,)

    def note_in_place(self, serial: int, place: int, by: str, cost: int) -> None:
        """Remember what another node has decided in place of this one."""
        new = self._room()
        new.count += 1
        new.own.setdefault(serial, ())
        new.in_place.setdefault(serial, {})[place] = InPlace(by, cost)

    def note_heard(self, serial: int) -> None:
        """Remember that who asked these checks listens to nobody but us any more."""
        new = self._room()
        new.count += serial not in new.heard
        new.heard.add(serial)

    def is_heard(self, serial: int) -> bool:
        """Does who asked these checks listen to nobody but us?"""
        return serial in self._new.heard or serial in self._old.heard

    def note_beyond(self, bucket: tuple[str, str], ticks: int) -> None:
        """Remember by how much a bucket was spent beyond its capacity: others let that through."""
        new = self._room()
        new.count += bucket not in new.beyond
        new.beyond[bucket] = new.beyond.get(bucket, 0) + ticks

    def take_beyond(self, bucket: tuple[str, str], most: int) -> int:
        """Forget up to `most` of these ticks; return how many. They are no longer beyond."""
        taken = 0
        for generation in (self._old, self._new):
            if held := generation.beyond.get(bucket, 0):
                part = min(held, most - taken)
                generation.beyond[bucket] = held - part
                taken += part
        return taken

    def tick(self, now: int) -> None:
        """Forget what was decided long ago."""
        if self._new.since is None:
            self._new.since = now
        elif now - self._new.since >= LASTS:
            self._turn(now)

    def knows(self, serial: int) -> bool:
        """Was any check of that serial decided?"""
        return serial in self._new.own or serial in self._old.own

    def own(self, serial: int, place: int) -> int | None:
        """Return the tokens that this node has charged for a check, 0 for one that it denied.

        None if it hasn't decided that check.
        """
        for generation in (self._new, self._old):
            pieces = generation.own.get(serial)
            if pieces is None:
                continue
            if len(pieces) > 1 or any(isinstance(piece[0], list) for piece in pieces):
                generation.own[serial] = pieces = (_merged(pieces),)
            for places, charges in pieces:
                at = _at(places, place)
                if at is not None and at < len(charges):
                    return charges[at]
        return None

    def charged(self, serial: int, place: int) -> int | None:
        """Return the tokens that this node or another one in its place has charged; None as `own`.

        The first to be known counts.
        """
        ours = self.own(serial, place)
        if ours is None and (it := self.in_place(serial, place)) is not None:
            return it.cost
        return ours

    def in_place(self, serial: int, place: int) -> InPlace | None:
        """Return what another node has decided in place of this one."""
        for generation in (self._new, self._old):
            if (it := generation.in_place.get(serial, {}).get(place)) is not None:
                return it
        return None

    def _room(self) -> _Generation:
        return self._new if self._new.count < MAX_DECIDED else self._turn()

    def _turn(self, now: int | None = None) -> _Generation:
        self._old, self._new = self._new, _Generation(now)
        return self._new


def charges_of(checks: Iterable[Check], answers: Iterable[Answer]) -> list[int | None]:
    """Return what was charged for checks with these answers."""
    return [
        None if isinstance(answer, str) else cost if answer[0] else 0
        for (*_, cost), answer in zip(checks, answers, strict=True)
    ]


def _merged(pieces: Iterable[Piece]) -> Piece:
    """Return pieces as one whose places can be looked up; few frames ever are."""
    index: dict[int, int] = {}
    all_charges: list[int | None] = []
    for places, charges in pieces:
        there = range(len(charges)) if places is None else places
        for place, charge in zip(there, charges, strict=True):
            if place not in index:
                index[place] = len(all_charges)
                all_charges.append(charge)
    return index, all_charges


def _at(places: Places, place: int) -> int | None:
    if places is None:
        return place if place >= 0 else None
    return places.get(place) if isinstance(places, dict) else None
