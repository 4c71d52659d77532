"""A walk through all buckets of a node, to find those that others should hold by now. Pure.

Two things make one necessary: the ring has changed, or a newcomer asks for what it will own. What
happens while a walk is under way waits for the next one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from headgate.wire import Part

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeAlias

    from headgate.buckets import Buckets as Table
    from headgate_ring.hashring import Ring

    Rows: TypeAlias = dict[str, dict[str, list[str]]]  # keys by target and text of the limit

SLICE = 500  # buckets looked at between two looks at the sockets: a millisecond


@dataclass(slots=True, eq=False)
class Puller:
    """A node that asked for what will be its own."""

    name: str
    number: int  # of its Pull
    whole: bool  # all of it; else only what it wasn't sent yet
    ring: Ring  # with it
    without: Ring
    told: bool = False  # that this was all


@dataclass(frozen=True, slots=True)
class Move:
    """A change of the ring, seen by a node that holds buckets.

    Of the nodes that weren't on the ring before, some `asked` for all that they own, and have it;
    others were just `added`.
    """

    me: str
    before: Ring
    ring: Ring
    asked: frozenset[str] = frozenset()
    added: frozenset[str] = frozenset()

    def heir(self, key: str) -> str:
        """Return the node that should hold a bucket and lacks our copy; "" when there is none."""
        me = self.me
        was_owner, was_backup = self.before.pair(key)
        owner, backup = self.ring.pair(key)
        if owner == me:
            is_new = backup in self.asked or backup in self.added
            has_it = backup == was_owner or (was_owner == me and was_backup == backup)
            return "" if has_it and not is_new else backup
        if owner in self.asked:
            return ""
        if owner in self.added:
            return owner if me in (was_owner, backup) else ""
        if was_owner == me:  # whose backup has a copy
            return "" if owner == was_backup else owner
        if was_owner in self.ring or (was_backup != me and was_backup in self.ring):
            return ""  # that one sees to it
        return owner


class Walk:
    """The walks of one node, one at a time. `usable` says whether a node can be reached."""

    def __init__(self, me: str, ring: Ring, usable: Callable[[str], bool], table: Table) -> None:
        self.pullers: dict[str, Puller] = {}
        self._me = me
        self._ring = ring
        self._usable = usable
        self._table = table
        self._asked: set[str] = set()
        self._added: set[str] = set()
        self._move = Move(me, ring, ring)
        self._for: list[Puller] = []  # whom the present or last walk was for
        self._rest: Iterator[tuple[str, list[str]]] | None = None

    @property
    def to_do(self) -> bool:
        """Is one under way, or necessary?"""
        return self._rest is not None or self._is_due()

    def ring_changed(self, ring: Ring) -> None:
        """Have the next walk find who lacks what by the new ring."""
        for name in set(ring.nodes) - {*self._ring.nodes, self._me}:
            puller = self.pullers.get(name)
            if puller is not None and puller.whole and puller.told:
                del self.pullers[name]
                self._asked.add(name)
            else:
                self._added.add(name)
        self._ring = ring

    def pulled_by(self, name: str, number: int, part: Part) -> None:
        """Have the next walk find what a node asks for; the rest is all if we forgot the node."""
        without = self._ring.without_node(name)
        whole = part is Part.ALL or (part is Part.REST and name not in self._ring)
        self.pullers[name] = Puller(name, number, whole, without.with_node(name), without)

    def gone(self, name: str) -> None:
        """Look for nothing for a node any more."""
        self.pullers.pop(name, None)
        self._asked.discard(name)
        self._added.discard(name)

    def slice(self) -> Rows:
        """Look at some more buckets; return which are to be sent to whom."""
        if self._rest is None:
            if not self._is_due():
                return {}
            self._begin()
        assert self._rest is not None
        piece = next(self._rest, None)
        rows: Rows = {}
        if piece is None:
            self._rest = None
            return rows
        text, keys = piece
        for key in keys:
            for target in self._targets(key):
                rows.setdefault(target, {}).setdefault(text, []).append(key)
        return rows

    def _is_due(self) -> bool:
        moved = self._move.ring is not self._ring or self._asked or self._added
        return bool(moved or self._unserved())

    def _unserved(self) -> list[Puller]:
        pullers = self.pullers.values()
        return [it for it in pullers if it.whole and not it.told and it not in self._for]

    def _begin(self) -> None:
        asked, added = frozenset(self._asked), frozenset(self._added)
        self._move = Move(self._me, self._move.ring, self._ring, asked, added)
        self._asked.clear()
        self._added.clear()
        self._for = self._unserved()
        alone = self._ring.nodes in {(), (self._me,)} and not self._for
        self._rest = iter(()) if alone else self._table.keys(SLICE)

    def _targets(self, key: str) -> Iterator[str]:
        if heir := self._move.heir(key):
            yield heir
        for puller in self._for:
            if puller.ring.owner(key) == puller.name and self._stands_for(key, puller):
                yield puller.name

    def _stands_for(self, key: str, puller: Puller) -> bool:
        """Is it this node that holds a bucket until the newcomer does?"""
        order = puller.without.walk(key)
        return next((it for it in order if it == self._me or self._usable(it)), "") == self._me
