"""Membership: which nodes there are, as one of them sees it. Pure: messages and `now` in, data out.

This is SWIM (Das, Gupta and Motivala, 2002) with the refinements of Lifeguard (Dadgar, Phillips and
Currey, "Lifeguard: Local Health Awareness for More Accurate Failure Detection", 2017).

Probes. Each node pings one other every half second, in a shuffled order that comes round to
everyone. When no ACK comes in time, it asks three others to try (PING_REQ), and they answer ACK or
NACK. So what a node has to do doesn't grow with the cluster, and a bad path between two nodes
isn't taken for a dead node. If nothing comes of it the target is a suspect, which the ring doesn't
mind; a suspect that doesn't refute in time is dead.

Rumors. What a node learns it passes on, a limited number of times: on every ping and its answer,
and ten times a second to three others while there is anything to tell. Of two rumors about a node
the one with the higher (incarnation, state) holds, so they may come late, twice and in any order.
Only a node itself raises its incarnation. It does so to refute, and when it changes.

Who is to blame. The suspicion of one accuser lasts long, and shorter with each one who confirms
it. A node whose own probes fail for want of any answer, or that is suspected itself, is probably
slow: its health score worsens, and it gives others more time.

Healing. Everything is exchanged with the first nodes that links come up to, with one now and then,
and with one whose ring differs. There, "dead" counts for no more than a suspicion: when two halves
of a split meet again each node must have its chance to refute. So nodes also tell each other in
every ping what they think of the other.

Hearsay. Whoever is on the ring may tell of nodes that don't exist. So only a few are believed in
that haven't spoken to this one; the others are when they speak, as each does to each.

Names. Two processes may have one name: one stood still while another took its place, or somebody
has made a mistake. They would refute each other for ever. So who joins claims its name, above all
claims to it that it has heard of; of two records the one with the higher claim holds, whatever
their incarnations, and who hears of a higher claim than its own has lost the name, and refutes
nothing. Before it joins a node claims nothing, and so disturbs nobody who has that name.

Leaves. A node that says it will never be on the ring is of no concern to others of its kind. So
all of the above goes on among the others, the core, and each leaf has to do with owners only, one
of which keeps it (`care.py`): the cost of a fleet grows with its owners, and for an owner with its
share of the leaves. Older releases don't say what they are, and are taken for part of the core.

Tombstones. The dead and those who left are remembered for ten minutes, so that a rumor from before
doesn't bring them back. A node that starts again under its old name has a higher incarnation, or
gets one when it hears of its former life.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sidegate_ring.membership.care import Care
from sidegate_ring.membership.members import Member, Members
from sidegate_ring.membership.messages import (
    MAX_INCARNATION,
    OWNER,
    TAG_BITS,
    Life,
    Rumor,
    SwimKind,
    SwimMessage,
    require_sense,
)
from sidegate_ring.membership.outgoing import Outgoing
from sidegate_ring.membership.parameters import Timing, slowed
from sidegate_ring.membership.probes import IndirectProbe, Probe, Probes
from sidegate_ring.membership.round_robin import RoundRobin, pick
from sidegate_ring.membership.updates import Updates

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["Effects", "Life", "Member", "Membership", "Rumor", "SwimKind", "SwimMessage", "Timing"]

SILENT_FOR = 2  # pings of a leaf that its keeper waits for, before it sends one itself


class Effects(NamedTuple):
    """What is to be done after an event."""

    sends: list[tuple[str, SwimMessage]]  # to whom, in this order; one that can't be sent is lost
    changed: list[Member]  # whose state, owner, address or incarnation changed; the node itself too


class Membership:
    """The cluster as one node sees it. Times are in seconds of one clock that never goes back.

    `incarnation` is to be higher than that of any earlier life under this name, as the seconds
    since 1970 are; of others none above `max_incarnation` is believed. `randrange(n)` returns a
    number from 0 to n - 1.
    """

    def __init__(
        self,
        name: str,
        address: str,
        *,
        incarnation: int,
        randrange: Callable[[int], int],
        timing: Timing = Timing(),  # noqa: B008 - it is frozen
        now: float,
        owner: bool = False,
        role: str = OWNER,
    ) -> None:
        self.me = Member(name, address, incarnation, owner=owner, since=now, role=role)
        self._timing = timing
        self._randrange = randrange
        self.max_incarnation = MAX_INCARNATION  # whoever has a clock keeps it MAX_AHEAD of that
        self._known = Members()
        self._outgoing = Outgoing(self.me, self._known, timing)
        self._probes = Probes(timing)
        self._round = RoundRobin(self._known.core, randrange)
        self._care = Care(self.me, self._known)
        self._updates = Updates(
            self.me, self._known, self._outgoing, self._probes, self._round, timing
        )
        self._last_id = 0
        first = randrange(1_000) / 1_000  # nodes that start together don't ping in step
        self.probe_at = now + first * timing.probe_every  # or as soon as it is called then
        self._news_at = now
        self._exchange_at = now + (1 + first) * timing.exchange_every / 2
        self._agree_at = now
        self._reconnect_at = now + first * timing.reconnect_every

    # --- what there is to know

    @property
    def members(self) -> dict[str, Member]:
        """All others: the living, and those remembered as dead or left. Not to be changed."""
        return self._known.all

    @property
    def digest(self) -> str:
        """Of our ring, "" for none. Whoever keeps the ring sets it after each change."""
        return self.me.digest

    @digest.setter
    def digest(self, digest: str) -> None:
        self.me.digest = digest

    @property
    def health(self) -> int:
        """Return the health score, from 0, which is well, to 7."""
        return self._probes.health

    @property
    def keeper(self) -> str:
        """Return the owner that looks after this leaf, "" if it is none or has none."""
        return self._care.keeper

    @property
    def is_replaced(self) -> bool:
        """Has another process claimed our name after us?"""
        return 0 < self.me.claim < self._updates.claimed

    @property
    def is_busy(self) -> bool:
        """Is anybody suspected, or probed by who isn't a leaf, or is there something to tell?"""
        in_doubt = self._updates.suspicions or (self._probes and not self.me.is_leaf)
        return bool(in_doubt or (self._outgoing.has_news and self._known.core))

    def owners(self) -> tuple[str, ...]:
        """Return the sorted names of the nodes on the ring, this one included if it is on it."""
        return tuple(sorted(member.name for member in self._known.owners_with(self.me)))

    def zones(self) -> dict[str, str]:
        """Return the zones of the nodes on the ring, as far as they have one."""
        return {it.name: it.zone for it in self._known.owners_with(self.me) if it.zone}

    def living(self) -> list[Member]:
        """Return the others that are alive or suspect."""
        return list(self._known.living.values())

    def core(self) -> list[Member]:
        """Return those of the living that aren't leaves, or haven't said so."""
        return list(self._known.core.values())

    def dead(self) -> list[Member]:
        """Return those that died, not those that left: worth dialling again after a split."""
        return [member for member in self._known.buried if member.state == Life.DEAD]

    # --- events

    def believe(self, *, hearsay: bool) -> None:
        """Believe all hearsay or not, as until this node has met those that there are."""
        self._updates.is_open = hearsay

    def step(self, sender: str, gossip: SwimMessage, now: float) -> Effects:
        """Handle a message. ValueError, and nothing changed, for one that makes no sense."""
        known = self._known.rumors
        news = [rumor for rumor in gossip.rumors if known.get(rumor.name) != rumor]
        require_sense(gossip, news, self.max_incarnation)
        # Beyond it may be one whose clock is ahead of ours: in a moment it is to be believed.
        most = self.max_incarnation
        news = [it for it in news if max(it.incarnation, it.claim >> TAG_BITS) <= most]
        if sender == self.me.name:
            return Effects([], [])
        full = gossip.kind in {SwimKind.PUSH_PULL, SwimKind.FULL_STATE}
        for rumor in news:
            self._updates.hear(rumor, sender, full=full, now=now)
        self._known.hear(sender)
        self._care.hear(sender, now)
        if member := self._known.living.get(sender):
            member.digest = gossip.digest
        self._answer(sender, gossip, now)
        return self._outcome()

    def tick(self, now: float) -> Effects:
        """Do what is due. To be called at `probe_at`, and 20 times a second, 4 unless `is_busy`."""
        for indirect in self._probes.unanswered(now):
            self._outgoing.talk(indirect.asker, SwimKind.NACK, indirect.id, indirect.target)
        self._care.look(now)
        if self.me.living:
            self._updates.bury_suspects(now)
            self._probe_on(now)
            self._look_around(now)
        for name in self._known.forget(now - self._timing.tombstone):
            self._outgoing.forget(name)
        self._spread(now)
        return self._outcome()

    def on_connected(self, name: str, _now: float) -> Effects:
        """Called when a link to a node came up, maybe an unknown one."""
        if name != self.me.name:
            self._outgoing.greet(name, self._next_id())
        return self._outcome()

    def on_disconnected(self, name: str, now: float) -> Effects:
        """Called when the link to a node broke. Others probe it; without any it is a suspect."""
        if name in self._known.living and self.me.living:
            probe = self._probes.of(name) or self._probes.start(self._next_id(), name, now)
            if not probe.asked:
                self._ask_others(probe)
            if not probe.asked:
                self._give_up(probe, now)
        return self._outcome()

    def doubt(self, name: str, now: float) -> Effects:
        """Called when a node didn't answer a question: have it probed now, by us and by others."""
        if name in self._known.living and self.me.living and not self._probes.of(name):
            probe = self._probes.start(self._next_id(), name, now)
            self._outgoing.talk(name, SwimKind.PING, probe.id)
            self._ask_others(probe)
        return self._outcome()

    def probe_all(self, now: float) -> Effects:
        """Have all but leaves probed at once: one is silent, and it matters how many are.

        In twice the time of a probe, however unwell this node is: it may be alone.
        """
        ends_at = now + 2 * self._timing.probe_every
        probed = self._probes.hurry(now + self._timing.probe_within, ends_at)
        for name in [name for name in self._known.core if name not in probed]:
            id_ = self._next_id()
            self._probes.start(id_, name, now, ends_at)
            self._outgoing.talk(name, SwimKind.PING, id_)
        return self._outcome()

    def on_resume(self, gap: float, now: float) -> None:
        """Called when this process stood still for `gap` seconds, so that nobody else is blamed."""
        self._probes.clear()
        self._probes.worsen(1)
        self._updates.extend(gap)
        self._care.extend(gap)
        self.probe_at = now + self._timing.probe_within  # first hear what has been waiting for us
        self._reconnect_at = now + self._timing.reconnect_every
        self._exchange_at += gap

    def announce(self, now: float, *, owner: bool | None = None, left: bool = False) -> Effects:
        """Change our own record, and tell everyone. `left` is for good: it refutes nothing then."""
        me = self.me
        me.incarnation = min(me.incarnation + 1, MAX_INCARNATION)
        me.owner = me.owner if owner is None else owner
        me.since = now
        if left or not me.living:
            me.state = Life.LEFT
            me.owner = False
            self._probes.clear()
        self._updates.tell_of_me()
        for name in self._known.core if me.is_leaf else self._known.living:
            self._outgoing.tell_of_me(name)
        return self._outcome()

    def claim(self, tag: int, seconds: int, now: float) -> Effects:
        """Take our name, also from whoever had it before, and tell everyone.

        `tag` tells this process from others of the name, `seconds` since 1970 are when it started.
        """
        self._updates.claim(tag, seconds)
        return self.announce(now)

    def disclaim(self) -> None:
        """Claim nothing any more: somebody else has our name."""
        self.me.claim = 0

    # --- who asks whom

    def _answer(self, sender: str, gossip: SwimMessage, now: float) -> None:
        match gossip.kind:
            case SwimKind.PING:
                self._outgoing.talk(sender, SwimKind.ACK, gossip.id)
            case SwimKind.ACK:
                self._probes.acked(sender, gossip.id, gossip.about)
                if indirect := self._probes.done(sender, gossip.id):
                    self._outgoing.talk(indirect.asker, SwimKind.ACK, indirect.id, indirect.target)
            case SwimKind.PING_REQ:
                self._probe_for(sender, gossip, now)
            case SwimKind.NACK:
                self._probes.nacked(sender, gossip.id)
            case SwimKind.PUSH_PULL:
                self._outgoing.tell_all(sender, SwimKind.FULL_STATE, gossip.id)
            case _:
                pass
        if gossip.kind in {SwimKind.PING, SwimKind.ACK}:
            self._agree(sender, now)

    def _agree(self, name: str, now: float) -> None:
        """Exchange everything with a node that has another ring; a leaf does with its keeper."""
        member = self._known.core.get(name)
        theirs = member.digest if member and self.me.living else ""
        if theirs and self.digest and theirs != self.digest and now >= self._agree_at:
            self._agree_at = now + self._timing.agree_every
            self._outgoing.tell_all(name, SwimKind.PUSH_PULL, self._next_id())

    def _probe_for(self, asker: str, gossip: SwimMessage, now: float) -> None:
        target = gossip.about
        if target in {self.me.name, asker, ""}:
            return
        id_ = self._next_id()
        if self._probes.run(id_, IndirectProbe(asker, gossip.id, target, self._timing, now)):
            self._outgoing.talk(target, SwimKind.PING, id_)
        else:
            self._outgoing.talk(asker, SwimKind.NACK, gossip.id, target)

    def _probe_on(self, now: float) -> None:
        """Go on with the probes under way, and begin the next."""
        if self._probes:
            for probe in self._probes.late(now):
                self._ask_others(probe)
            for probe in self._probes.failed(now):
                self._give_up(probe, now)
        if now < self.probe_at:
            return
        self.probe_at = now + slowed(self._timing.probe_every, self.health)
        self._probe(self._care.keeper or self._round.next(), now)
        for name in self._care.silent(now - SILENT_FOR * self._timing.probe_every):
            self._probe(name, now)

    def _probe(self, target: str, now: float) -> None:
        if target and not self._probes.of(target):
            id_ = self._next_id()
            self._probes.start(id_, target, now)
            self._outgoing.talk(target, SwimKind.PING, id_)

    def _ask_others(self, probe: Probe) -> None:
        members = self._known.core.values()
        others = [it.name for it in members if it.state == Life.ALIVE and it.name != probe.target]
        asked = self._some(others, self._timing.indirect_probes)
        self._probes.ask(probe, asked)
        for name in asked:
            self._outgoing.talk(name, SwimKind.PING_REQ, probe.id, probe.target)

    def _give_up(self, probe: Probe, now: float) -> None:
        self._probes.drop(probe)
        if member := self._known.living.get(probe.target):
            if member.state == Life.ALIVE:  # that a suspect is silent tells nothing new of us
                self._probes.count_failure(probe)
            self._updates.accuse(member, Life.SUSPECT, now)
            if member.is_leaf:  # no other owner would come to probe it, so a NACK confirms it
                for name in probe.asked:
                    self._updates.confirm(member, "" if name in probe.silent else name)

    def _look_around(self, now: float) -> None:
        """Now and then exchange everything with someone, and try to reach a dead node."""
        if now >= self._exchange_at:
            self._exchange_at = now + self._timing.exchange_every
            for name in self._some(self._known.core, 1):
                self._outgoing.tell_all(name, SwimKind.PUSH_PULL, self._next_id())
        if now >= self._reconnect_at:
            self._reconnect_at = now + self._timing.reconnect_every
            for name in self._some([member.name for member in self.dead()], 1):
                self._outgoing.talk(name, SwimKind.PING, self._next_id())

    # --- out

    def _spread(self, now: float) -> None:
        if now >= self._news_at and self._outgoing.has_news:
            self._news_at = now + self._timing.news_every
            self._outgoing.tell_leaves(self._care.leaves)
            for name in self._some(self._known.core, self._timing.fanout):
                self._outgoing.tell_news(name)

    def _outcome(self) -> Effects:
        if self.me.is_leaf and self._known.leaves and self._care.keeps_all:
            self._updates.part_from_leaves()
        return Effects(self._outgoing.take(), self._updates.take())

    def _next_id(self) -> int:
        self._last_id += 1
        return self._last_id

    def _some(self, names: Iterable[str], count: int) -> list[str]:
        return pick(names, count, self._randrange)
