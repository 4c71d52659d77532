"""A walk through all buckets of a node, to find those that others should hold by now. Pure.

Two things make one necessary: the ring has changed, or a newcomer asks for what it will own. What
happens while a walk is under way waits for the next one.

A walk compares the ring with the last one that it was walked for, and with the last one that all
nodes agreed on. While a split heals or several nodes come and go, each node sees other rings on
the way, and on each of them would leave it to another node to send a bucket on, to one that has
never seen that ring and so doesn't. Who was to hold a bucket on the ring that all had is the same
for all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sidegate.protocol.messages import Part, Pulled
from sidegate_sidecar.replication.arcs import Arcs
from sidegate_sidecar.replication.targets import Move

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import TypeAlias

    from sidegate.buckets.buckets import BucketTable
    from sidegate_ring.hashring import Ring

    Rows: TypeAlias = dict[str, dict[str, list[str]]]  # keys by target and text of the limit

SLICE = 50  # buckets looked at in a piece of work: 0.05 ms


@dataclass(slots=True, eq=False)
class Puller:
    """A node that asked for what will be its own."""

    name: str
    number: int  # of its Pull
    whole: bool  # all of it; else only what it wasn't sent yet
    ring: Ring  # with it
    without: Ring
    walked: bool = False  # has a walk for it begun? One each, else two that wait do so for ever
    told: bool = False  # that this was all

    def owned(self, keys: Iterable[str]) -> list[str]:
        """Return the keys that it will own."""
        name, owner = self.name, self.ring.owner
        return [key for key in keys if owner(key) == name]


class Walk:
    """The walks of one node, one at a time. `usable` says whether a node can be reached."""

    def __init__(
        self, me: str, ring: Ring, usable: Callable[[str], bool], table: BucketTable
    ) -> None:
        self.pullers: dict[str, Puller] = {}
        self._me = me
        self._ring = ring
        self._usable = usable
        self._table = table
        self._asked: dict[str, Ring] = {}  # and the ring that each was to join
        self._added: set[str] = set()
        self._base = ring  # what all agreed on
        self._is_stale = False  # has the ring changed since the last walk began?
        self._moves = [Move(me, ring, ring)]  # that walk's, the one from the last ring first
        self._for: list[Puller] = []  # whom the present or last walk was for
        self._arcs = Arcs((ring,), self._targets_at)
        self._rest: Iterator[tuple[str, list[str]]] | None = None

    @property
    def to_do(self) -> bool:
        """Is one under way, or necessary?"""
        return self._rest is not None or self._is_due()

    @property
    def may_settle(self) -> bool:
        """Is the walk for the present ring over, of which isn't known yet that all agree on it?"""
        return self._base is not self._ring and not self.to_do

    def settle(self) -> None:
        """Called when all nodes hold the present ring; of no use before its walk is over."""
        if not self.to_do:
            self._base = self._ring
            self._asked.clear()
            self._added.clear()

    def rest(self) -> None:
        """Take the present ring for all that ever was: this node has left, and held nothing since.

        So it doesn't send what it once held at each change that is still to come.
        """
        self._base = self._ring
        self._moves = [Move(self._me, self._ring, self._ring)]

    def ring_changed(self, ring: Ring) -> set[str]:
        """Called when the ring has changed: the next walk finds who lacks what.

        Return who is new on it, and never asked for what is its own.
        """
        strangers: set[str] = set()
        for name in ring.nodes:
            if name in self._ring or name == self._me:
                continue
            puller = self.pullers.get(name)
            if puller is not None and puller.whole and puller.told:
                del self.pullers[name]
                self._asked[name] = puller.without
            else:
                self._added.add(name)
                strangers.add(name)
        for name, without in list(self._asked.items()):
            if not set(without.nodes) <= set(ring.nodes):  # what those who left owned is its too
                del self._asked[name]
                self._added.add(name)
        self._ring = ring
        self._is_stale = True
        return strangers

    def pulled_by(self, name: str, number: int, part: Part) -> None:
        """Called when a node asks for its buckets: the next walk finds them."""
        without = self._ring.without_node(name)
        whole = part is Part.ALL or (part is Part.REST and name not in self._ring)
        self.pullers[name] = Puller(name, number, whole, without.with_node(name), without)
        if part is Part.ALL:
            self._asked.pop(name, None)  # if it is on the ring that was a life before this one

    def renew(self, name: str) -> None:
        """Take a node for one that has nothing: it died and came back, and we didn't see it.

        One that we saw come is being sent what it lacks anyhow.
        """
        puller = self.pullers.get(name)
        is_served = name in self._asked and self.to_do
        if name not in self._added and not (is_served or (puller and puller.whole)):
            self.lacks(name)

    def lacks(self, name: str) -> None:
        """Called when a node has nothing of what we hold for it: the next walk sends it all."""
        puller = self.pullers.get(name)
        if puller is not None:
            puller.walked = puller.told = False
            puller.whole = True
        if name in self._ring:
            self._asked.pop(name, None)
            self._added.add(name)
            self._is_stale = True

    def gone(self, name: str) -> None:
        """Look for nothing for a node any more."""
        self.pullers.pop(name, None)
        self._asked.pop(name, None)
        self._added.discard(name)

    def answers(self, has_all: Callable[[str], bool]) -> list[tuple[str, Pulled]]:
        """Return what to say to those who asked, and have all of it; called with no walk to do.

        `has_all` says whether nothing waits for a node any more.
        """
        return self._told([it for it in self.pullers.values() if has_all(it.name)])

    def early_answers(self, has_changes: Callable[[str], bool]) -> list[tuple[str, Pulled]]:
        """Return what to say while there is a walk to do, to those who needn't wait for it.

        They have been sent all that they own before they came on the ring, and ask what has changed
        since. What the walk finds for them is what they are to hold for others.
        """
        asked = [it for it in self.pullers.values() if not it.whole and it.name in self._asked]
        return self._told([it for it in asked if has_changes(it.name)])

    def _told(self, pullers: list[Puller]) -> list[tuple[str, Pulled]]:
        done = [it for it in pullers if not it.told]
        for puller in done:
            puller.told = True
            if not puller.whole or puller.name in self._ring:
                del self.pullers[puller.name]
        return [(puller.name, Pulled(puller.number)) for puller in done]

    def slice(self) -> Rows:
        """Look at some more buckets; return which are to be sent to whom."""
        if self._rest is None:
            if not self._is_due():
                return {}
            self._begin()
        assert self._rest is not None
        piece = next(self._rest, None)
        if piece is None:
            self._rest = None
            return {}
        text, keys = piece
        found = self._arcs.targets(keys, self._targets)
        return {target: {text: some} for target, some in found.items()}

    def _is_due(self) -> bool:
        return self._is_stale or bool(self._unserved())

    def _unserved(self) -> list[Puller]:
        pullers = self.pullers.values()
        return [it for it in pullers if it.whole and not it.walked]

    def _begin(self) -> None:
        asked, added = frozenset(self._asked), frozenset(self._added)
        befores = [self._before()]
        if self._base is not befores[0]:
            befores.append(self._base)
        away = frozenset(it for it in self._ring.nodes if it != self._me and not self._usable(it))
        self._moves = [Move(self._me, it, self._ring, asked, added, away) for it in befores]
        self._is_stale = False
        self._for = self._unserved()
        rings = [puller.ring for puller in self._for] + [it.before for it in self._moves]
        self._arcs = Arcs([self._ring, *rings], self._targets_at)
        for puller in self._for:
            puller.walked = True
        nothing = self._moves_nothing() and not self._for
        self._rest = iter(()) if nothing else self._table.keys(SLICE)

    def _moves_nothing(self) -> bool:
        """Is it plain that no bucket of ours has to move, without a look at a million of them?

        There is nobody else; or nothing has happened but that we left: our backups have it all.
        """
        others = [name for name in self._ring.nodes if name != self._me]
        befores = [[name for name in it.before.nodes if name != self._me] for it in self._moves]
        has_left = self._me not in self._ring and all(it == others for it in befores)
        has_left &= not any(it.before.is_zoned for it in self._moves)  # then heirs aren't backups
        return not others or (has_left and not self._asked and not self._added)

    def _before(self) -> Ring:
        """Return the last ring that was walked for, but once this node has left its last one.

        By that one it knows what it held, however many others leave at the same time.
        """
        last = self._moves[0]
        has_left = self._me in last.before and self._me not in last.ring
        return last.before if has_left else last.ring

    def _targets_at(self, place: int) -> tuple[str, ...] | None:
        """Return who is to be sent the keys there; None if that may change during the walk."""
        pullers = self._pullers_at(place)
        if any(it.without.pair_at(place)[0] != self._me for it in pullers):
            return None
        return tuple({**self._heirs_at(place), **{it.name: None for it in pullers}})

    def _targets(self, key: str) -> dict[str, None]:
        place = self._ring.place(key)
        targets = self._heirs_at(place)
        for puller in self._pullers_at(place):
            if puller.without.pair_at(place)[0] == self._me or self._stands_for(key, puller):
                targets[puller.name] = None
        return targets

    def _heirs_at(self, place: int) -> dict[str, None]:
        return {name: None for move in self._moves for name in move.heirs_at(place)}

    def _pullers_at(self, place: int) -> list[Puller]:
        """Return for whom the walk is that will own a key at that place: one, but for a moment."""
        return [it for it in self._for if it.ring.pair_at(place)[0] == it.name]

    def _stands_for(self, key: str, puller: Puller) -> bool:
        """Is it this node that holds a bucket until the newcomer does?"""
        order = puller.without.walk(key)
        return next((it for it in order if it == self._me or self._usable(it)), "") == self._me
