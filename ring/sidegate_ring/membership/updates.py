"""Updates: what rumors make of the members, and of ourselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate_ring.membership.members import MAX_LEAVES, MAX_LIVING
from sidegate_ring.membership.messages import (
    LEAF,
    MAX_INCARNATION,
    TAG_BITS,
    Life,
    claim_of,
    tag_of,
)
from sidegate_ring.membership.suspicion import Suspicion

if TYPE_CHECKING:
    from sidegate_ring.membership.members import Member, Members
    from sidegate_ring.membership.messages import Rumor
    from sidegate_ring.membership.outgoing import Outgoing
    from sidegate_ring.membership.parameters import Timing
    from sidegate_ring.membership.probes import Probes
    from sidegate_ring.membership.round_robin import RoundRobin


class Updates:
    """Believes rumors, or doesn't; has what is new told on, and refutes what isn't so of us."""

    def __init__(
        self,
        me: Member,
        known: Members,
        outgoing: Outgoing,
        probes: Probes,
        round_robin: RoundRobin,
        timing: Timing,
    ) -> None:
        self.is_open = True  # to all hearsay
        self.claimed = 0  # the highest claim to our name, whoever made it
        self.suspicions: dict[str, Suspicion] = {}
        self._me = me
        self._known = known
        self._outgoing = outgoing
        self._probes = probes
        self._round = round_robin
        self._timing = timing
        self._changed: dict[str, Member] = {}

    def take(self) -> list[Member]:
        """Return the members that have changed since the last time."""
        changed = list(self._changed.values())
        self._changed.clear()
        return changed

    def extend(self, seconds: float) -> None:
        """Give all suspects that much more time."""
        for suspicion in self.suspicions.values():
            suspicion.extend(seconds)

    def claim(self, tag: int, seconds: int) -> None:
        """Claim our name above all claims to it that we have heard of."""
        self._me.claim = claim_of(max(seconds, (self.claimed >> TAG_BITS) + 1), tag)
        self.claimed = self._me.claim

    def hear(self, rumor: Rumor, sender: str, *, full: bool, now: float) -> None:
        """Take note of a rumor; `full` of one of many, where everything is exchanged."""
        if rumor.name == self._me.name:
            self._hear_of_me(rumor)
        else:
            self._hear_of_other(rumor, sender, full=full, now=now)

    def tell_of_me(self) -> None:
        """Have others hear of our own record, which has changed."""
        self._outgoing.spread(self._me.rumor)
        self._changed[self._me.name] = self._me

    def accuse(self, member: Member, state: Life, now: float) -> None:
        """Say ourselves that someone is a suspect, or dead."""
        if state > member.state:
            self._believe(member.rumor._replace(state=int(state), by=self._me.name), now)
        else:
            self.confirm(member, self._me.name)

    def bury_suspects(self, now: float) -> None:
        """Say that those are dead who haven't refuted in time."""
        for name in [name for name, it in self.suspicions.items() if it.ends_at <= now]:
            self.accuse(self._known.living[name], Life.DEAD, now)

    def _hear_of_me(self, rumor: Rumor) -> None:
        """Refute what isn't so. The address may be another: ours can be a wildcard."""
        me = self._me
        if rumor.claim != me.claim:
            self._hear_of_namesake(rumor)
            return
        if not me.living or rumor.incarnation < me.incarnation:
            return
        as_is = rumor.incarnation == me.incarnation and rumor.state == Life.ALIVE
        if as_is and rumor.owner == me.owner:
            return
        if rumor.state in {Life.SUSPECT, Life.DEAD}:
            self._probes.worsen(1)
        me.incarnation = min(rumor.incarnation + 1, MAX_INCARNATION)
        self.tell_of_me()

    def _hear_of_namesake(self, rumor: Rumor) -> None:
        """Called when another process has our name, or had it: one that is gone loses it again.

        It may be this process itself, in a former life.
        """
        if rumor.claim <= self.claimed:
            return
        self.claimed = rumor.claim
        if self._me.claim and self._me.living and rumor.state >= Life.DEAD:
            self.claim(tag_of(self._me.claim), 0)
            self.tell_of_me()

    def _hear_of_other(self, rumor: Rumor, sender: str, *, full: bool, now: float) -> None:
        """Believe a rumor about another, or don't."""
        member = self._known.all.get(rumor.name)
        if member is None:
            if self.is_open or rumor.name == sender or self._known.takes_hearsay:
                self._hear_of_unknown(rumor, full=full, now=now)
            return
        if full and rumor.state == Life.DEAD:
            rumor = rumor._replace(state=int(Life.SUSPECT), by=rumor.by or sender)
        is_news = rumor.role and not member.role and rumor.claim == member.claim
        if is_news and member.living and self._has_room(rumor):
            self._changed[rumor.name] = self._known.learn(rumor.name, rumor.role)
        said, known = rumor.weight, (member.claim, member.incarnation, member.state)
        if said > known:
            self._believe(rumor, now)
        elif said == known and rumor.state == Life.SUSPECT:
            self.confirm(member, rumor.by)

    def _hear_of_unknown(self, rumor: Rumor, *, full: bool, now: float) -> None:
        """Meet someone, or remember that they left. Deaths of unknowns are nobody's concern."""
        if rumor.state <= Life.SUSPECT:
            self._believe(rumor, now)
        elif rumor.state == Life.LEFT:
            told = self._known.put(rumor, now).rumor
            if not full:  # else everyone who joins would tell of all who left
                self._outgoing.spread(told)

    def _believe(self, rumor: Rumor, now: float) -> None:
        name, core = rumor.name, self._known.core
        if rumor.state <= Life.SUSPECT:
            if not self._has_room(rumor):
                return
            if name not in self._known.living and rumor.role != LEAF:
                self._round.add(name)
        member = self._known.put(rumor, now)
        self.suspicions.pop(name, None)
        if member.state == Life.SUSPECT:
            self.suspicions[name] = Suspicion(rumor.by, self._timing, 1 + len(core), now)
        self._outgoing.spread(member.rumor)
        self._changed[name] = member

    def _has_room(self, rumor: Rumor) -> bool:
        """May it be one of its kind, if it isn't yet?"""
        known, name = self._known, rumor.name
        if rumor.role == LEAF:
            return name in known.leaves or len(known.leaves) < MAX_LEAVES
        if name in known.core or len(known.core) < MAX_LIVING:
            return True
        leaf = known.leaves.get(name)  # which it still is where older releases pass it on
        return leaf is not None and not rumor.role and rumor.claim == leaf.claim

    def part_from_leaves(self) -> None:
        """Know no other leaf any more, being one, since the owners look after them all."""
        for name in [*self._known.leaves]:
            gone = self._known.drop(name)
            gone.state = Life.LEFT  # for who is told of changes: let go of it
            self.suspicions.pop(name, None)
            self._outgoing.forget(name)
            self._changed[name] = gone

    def confirm(self, member: Member, by: str) -> None:
        """Count another accuser, and tell of it."""
        suspicion = self.suspicions.get(member.name)
        if suspicion is not None and suspicion.confirm(by):
            self._outgoing.spread(member.rumor._replace(by=by))
