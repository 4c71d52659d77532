"""Copies: of which keys this node holds what their owners have decided. Pure; `now` is in ns.

To be on the ring next to a key is no copy of its buckets. A node that has just become its backup
holds nothing until who held them before has sent them, and one that stood still, or couldn't hear
the owner while others could, lacks what was decided meanwhile. Who answered from such a table
would give a limit that is spent once more, and call it a backup's word.

So a node remembers the rings since the last one on which it was known to hold all that it should.
It holds a key's buckets if it was the key's owner or backup on each of them, for then it was sent
all changes; or if the owner, and all who held them before and are still there, have confirmed by
the present ring that everything they had for it was sent and is merged (`Confirm`, `Confirmed`).
If none of those is there any more, or all that are may lack a part themselves, all other nodes have
to: one may have a part from longer ago. Who lacks a part confirms like anyone else that all it has
was sent, and says so: nobody waits for another to be complete.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate.protocol.messages import Confirm
from sidegate_ring.hashring import Ring
from sidegate_sidecar.replication.debounce import Debounce

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MAX_RINGS = 8  # remembered: more change in a moment only in a storm, and then we hold nothing
# Nodes on a ring: so few ask at once, whatever comes next. While they wait nobody may stand in for
# an owner that is killed, and their questions are few.
FEW = 16
ASK_AGAIN = 10**9  # ns: a question or its answer is lost with its link, which seldom breaks


class Copies:
    """What one node holds, by the rings that it has seen. The first ring has it hold nothing."""

    def __init__(self, me: str) -> None:
        self._me = me
        self._rings = [Ring()]  # the last known to be sent in full, and all since; the present one
        self._is_new = True  # never held all that it should
        self._lacks = True
        self._confirmed: set[str] = set()  # nodes that have sent us all, by the present ring
        self._unsure: set[str] = set()  # of those: who may lack a part of what they were to hold
        self._behind: set[str] = set()  # nodes that decided while we couldn't hear them
        self._strangers: set[str] = set()  # of those: who may think that we hold what we never had
        self._gone: set[str] = set()  # nodes from which nothing will come any more
        self._pulled: set[str] = set()  # nodes that have sent what is ours on this ring:
        self._pulled_for = self._rings[0]
        self._asked: dict[str, int] = {}  # when
        self._asks_from = 0
        self._debounce = Debounce()

    @property
    def _ring(self) -> Ring:
        return self._rings[-1]

    @property
    def is_settled(self) -> bool:
        """Has everyone sent what they held of this node's, the last time that places moved?"""
        return len(self._rings) == 1

    @property
    def lacks(self) -> bool:
        """May this node lack a part of what it was to hold on its place, or on its last one?

        It is new, places have moved or it stood still, and it hasn't been told everything since.
        """
        return self._lacks

    @property
    def has_strangers(self) -> bool:
        """Is somebody new on the ring who may have decided elsewhere, and hasn't sent all of it?"""
        return not self._strangers <= self._gone

    def hold(self, key: str) -> bool:
        """Tell if what the owner of a key decides is known here, as of the last sync.

        True for the owner itself, unless others still have to send it what it lacks.
        """
        pair = self._ring.pair(key)
        if self._me not in pair or pair[0] in self._behind:
            return False
        if len(self._rings) == 1:
            return True
        place = self._ring.place(key)
        before = [ring.pair_at(place) for ring in self._rings[:-1]]
        return all(self._me in it for it in before) or self._were_sent(pair, place, before)

    def _were_sent(
        self, pair: tuple[str, str], place: int, before: Iterable[tuple[str, str]]
    ) -> bool:
        """Have all who may know more of a key than we do sent it?

        Once all of these are gone others may still have a part, which they send when they notice.
        """
        holders = {name for it in before for name in it if name} | {pair[0]}
        holders.discard(self._me)
        left = holders - self._gone
        if holders and not left - self._unsure:
            return not self._missing()
        is_pulled = pair[0] == self._me and self._was_pulled(place)
        return left <= (self._confirmed | self._pulled if is_pulled else self._confirmed)

    def _was_pulled(self, place: int) -> bool:
        """Was this node sent what it owns there, by who owned it until then?

        Others who were asked have sent what nobody else was to send: of these keys nothing. And
        that one may have confirmed since what it has in its next life: nothing either.
        """
        owner, before_me = self._pulled_for.pair_at(place)
        return owner == self._me and before_me in self._pulled

    # --- what happens

    def ring_changed(self, ring: Ring, strangers: Iterable[str]) -> None:
        """Note the present ring. `strangers` are new on it, and never asked us for what is theirs.

        Where nobody has left or counts as elsewhere, whoever was on the ring is next to no key that
        it wasn't before. A stranger may have decided something elsewhere.
        """
        self._strangers = (self._strangers | {*strangers}) & {*ring.nodes}
        self._behind = (self._behind | self._strangers) & {*ring.nodes}
        self._gone -= {*ring.nodes}
        last = self._ring
        if self._me in last and {*last.nodes} <= {*ring.nodes} and ring.orders_as(last):
            self._rings[-1] = ring
            self._confirmed -= self._behind
        else:
            self._rings.append(ring)
            self._lacks |= self._me in ring
            self._begin_anew()
        if len(self._rings) > MAX_RINGS:
            self.doubt()
        self._asked.clear()
        self._debounce.changed()
        self._look()

    def _begin_anew(self) -> None:
        self._confirmed.clear()
        self._unsure.clear()

    def doubt(self, until: int = 0) -> None:
        """Take nothing for a copy before all others have confirmed it: we stood still.

        They are asked from `until` on.
        """
        self._rings = [Ring(), self._ring]
        self._lacks = True
        self._begin_anew()
        self._asked.clear()
        self._asks_from = max(self._asks_from, until)

    def fall_behind(self, name: str) -> None:
        """Called when a node decides while we can't hear it, as others say."""
        if name in self._ring:
            self._behind.add(name)
            self._confirmed.discard(name)
            self._asked.pop(name, None)

    def pull(self, ring: Ring) -> None:
        """Called when all others are asked for what is ours on this ring."""
        self._pulled_for = ring
        self._pulled.clear()

    def pulled(self, name: str) -> None:
        """Called when a node has sent what it was asked for."""
        self._pulled.add(name)

    def confirmed(self, name: str, digest: str, *, lacks: bool = False) -> None:
        """Called when a node has sent us all that it held of ours by the ring of that digest.

        One that lacks a part of it is no proof that this was all there is.
        """
        if digest == self._ring.digest:
            self._confirmed.add(name)
            (self._unsure.add if lacks else self._unsure.discard)(name)
            self._behind.discard(name)
            self._strangers.discard(name)
            self._look()

    def gone(self, name: str) -> None:
        """Expect nothing from a node any more."""
        self._gone.add(name)

    def unreachable(self, name: str) -> None:
        """Called when a question to a node may be lost."""
        self._asked.pop(name, None)

    def _look(self) -> None:
        """Forget the rings of before once everything is here."""
        if len(self._rings) > 1 and not self._missing():
            self._rings = [self._ring]
            if self._me in self._ring:
                self._is_new = self._lacks = False
            self._gone &= {*self._ring.nodes}
            self._unsure.clear()
            self._pulled.clear()

    def _missing(self) -> set[str]:
        """Return who has still to confirm that we were sent everything."""
        if self._me not in self._ring:
            return set()
        others = set(self._behind)
        if len(self._rings) > 1:
            others.update(name for ring in self._rings for name in ring.nodes)
        return others - self._gone - self._confirmed - {self._me}

    def questions(self, now: int, usable: Callable[[str], bool]) -> list[tuple[str, Confirm]]:
        """Return whom to ask now, each of those that can be reached once a second."""
        self._look()
        if self.is_settled and not self._behind:
            return []
        if now < self._asks_from or (len(self._ring) > FEW and self._debounce.holds(now)):
            return []
        due = [
            name
            for name in sorted(self._missing() | self._unsure)
            if now - self._asked.get(name, now - ASK_AGAIN) >= ASK_AGAIN and usable(name)
        ]
        self._asked.update(dict.fromkeys(due, now))
        return [(name, Confirm(self._ring.digest, int(self._has_nothing_of(name)))) for name in due]

    def _has_nothing_of(self, name: str) -> bool:
        """May a node think that it has sent us all, as it did in a life before this one, say?"""
        return name in self._strangers or (self._is_new and name not in self._pulled)
