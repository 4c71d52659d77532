"""A node's part in the cluster: who is there, which ring that makes, and its own place on it.

Two rings are kept. `ring` is what all nodes agree on: everyone alive who says that it is an owner.
`route` is where checks go, and has this node on it only while it may decide: a newcomer forwards
until it has been sent the buckets that it is to own, a node that stood still until it has been
told what others decided for it meanwhile, a node that leaves until it exits.

    starting -> joining -> settling -> member <-> returning
    starting <- any of these, once all others refuse this node, or another one has claimed its name
                                       member -> flushing -> leaving -> leaf
                                       member <- waiting <-> flushing

Joining: pull all that will be mine; take the place (`announce`); settling: pull what has changed
since. Leaving: flush what has changed, and have another owner promise to stay (`heirs.py`); give up
the place; wait until everyone has noticed. The last owner waits for another one, and goes on
deciding; when none has come in time it stays. Every other step has a deadline after which the node
goes on without: a counter may be wrong, a check may not wait. Pure: `now` is in ns, messages go out
through the mesh.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sidegate.limits import SECOND
from sidegate.wire import Buckets, Part, Promise, Stay
from sidegate.wire import Gossip as GossipMessage
from sidegate_ring.hashring import Ring
from sidegate_ring.membership import Gossip, Kind, Membership, Rumor, State, Timing
from sidegate_sidecar.detour import Detour, route_of
from sidegate_sidecar.heirs import Heirs
from sidegate_sidecar.newcomers import Newcomers
from sidegate_sidecar.passage import Passage
from sidegate_sidecar.rings import held_on, next_ring
from sidegate_sidecar.rumors import placed, takes_for_dead
from sidegate_sidecar.stages import FLUSHING, HOLDING, ON_THE_WAY, Stage
from sidegate_sidecar.sync import Sync
from sidegate_sidecar.vouchers import Vouchers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TypeAlias

    from sidegate.buckets import Buckets as Table
    from sidegate.wire import NodeMessage
    from sidegate_ring.membership import Outcome
    from sidegate_sidecar.mesh import Mesh

    MakeRing: TypeAlias = Callable[[Ring, tuple[str, ...]], Ring]

__all__ = ["Cluster", "Stage"]

log = logging.getLogger("sidegate")

JOIN_WITHIN = 10 * SECOND  # ns, and for as long as buckets arrive
JOIN_AT_MOST = 60 * SECOND  # ns: a million buckets take a tenth of it
SETTLE_WITHIN = SECOND  # ns: the last changes of each node, a few round trips
RETURN_WITHIN = 60 * SECOND  # ns: whoever doesn't tell us is taken for dead long before
TICK_EVERY = SECOND // 20  # ns between two ticks while nothing is going on
LONG = SECOND  # ns of standing still that somebody should hear of
STALL = SECOND // 10  # ns that a tick may be late before others will have stood in for us


def _ignore(_stage: Stage) -> None:
    pass


@dataclass(slots=True)
class Cluster:
    """This node among the others. `leaf` nodes never own a key."""

    name: str
    address: str
    table: Table
    mesh: Mesh
    incarnation: int
    randrange: Callable[[int], int]
    now: int  # ns, at the beginning
    tag: int = 0
    """What tells this process from another one of its name, in 30 bits."""
    leaf: bool = False
    stall: int = STALL
    timing: Timing = field(default_factory=Timing)
    empty: Ring = field(default_factory=Ring)
    """The ring without nodes, from which all others have their points and hashes."""
    make_ring: MakeRing = next_ring
    on_stage: Callable[[Stage], None] = _ignore
    stage: Stage = Stage.STARTING
    joined: bool = False
    membership: Membership = field(init=False)
    sync: Sync = field(init=False)
    ring: Ring = field(init=False)
    route: Ring | Detour = field(init=False)
    late_at: int = field(init=False)
    """When the next tick is so late that this process must have stood still."""
    passages: dict[Stage, Passage] = field(init=False)
    vouchers: Vouchers = field(default_factory=Vouchers)
    introduced: set[str] = field(default_factory=set[str])
    """Nodes that have told us everything they know."""
    is_overdue: bool = False
    """Did this node leave before it was done?"""
    heirs: Heirs = field(init=False)
    newcomers: Newcomers = field(default_factory=Newcomers)
    _patient: bool = False
    """Does it wait for an heir where there is none?"""
    _is_untold: bool = False
    """Has it stood still since then, and not been told yet what others decided meanwhile?"""
    _decided: bool = False
    """Did this node decide when it was told to leave?"""
    _deadline: int = 0
    _since: int = 0
    _drain_until: int = 0
    _grace: int = 0
    """How much longer (ns) it takes when another node comes at the last moment, twice over."""
    _latest: int = 0

    def __post_init__(self) -> None:
        empty = self.make_ring(self.empty, ())
        self.ring = self.route = empty
        self.membership = Membership(
            self.name,
            self.address,
            incarnation=self.incarnation,
            randrange=self.randrange,
            timing=self.timing,
            now=self.now / SECOND,
        )
        self.sync = Sync(self.name, self.table, self.mesh.is_up, empty, self.mesh.forget)
        self.heirs = Heirs(self.name)
        self.passages = {
            stage: Passage() for stage in (Stage.JOINING, Stage.RETURNING, Stage.LEAVING)
        }
        self.late_at = self.now + TICK_EVERY + self.stall

    @property
    def parts(self) -> int:
        """Return how many nodes there are, this one included: how many may decide alone."""
        return len(self.membership.living()) + 1

    @property
    def agrees(self) -> bool:
        """Do all nodes that this one hears from hold the same ring?"""
        return self._all_agree(unheard=True)

    def _all_agree(self, *, unheard: bool) -> bool:
        """Tell if all other nodes hold this ring; `unheard`: those that haven't said may, too."""
        held = {self.ring.digest, ""} if unheard else {self.ring.digest}
        return all(it.digest in held for it in self.membership.living())

    def held(self) -> tuple[int, int]:
        """Return how many buckets are held as owner and as backup; of many, an estimate."""
        return held_on(self.ring, self.name, self.table)

    # --- what happens

    def met(self, name: str, now: int) -> None:
        """Note that a link to a node came up."""
        self.sync.resets.met(name)  # it is told of them before anything else
        self._apply(self.membership.met(name, now / SECOND), now)
        if self.stage is Stage.RETURNING:
            self._post(self.sync.pull(self._owners(), Part.REST))
        self._post(self.sync.tick(now))  # it may be owed something

    def lost(self, name: str, now: int) -> None:
        """Note that the link to a node broke."""
        self.introduced.discard(name)
        self.heirs.lost(name)
        self.sync.unreachable(name, now)
        self._apply(self.membership.lost(name, now / SECOND), now)
        self._proceed(now)

    def reset(self, key: str, number: int, now: int) -> None:
        """Make the buckets of a key full, here and on all nodes; `number` is that of no other."""
        self._post(self.sync.reset(key, number, now))

    def step(self, sender: str, message: NodeMessage, now: int, host: str = "") -> None:
        """Handle a message of a node, which came from that host. ValueError for nonsense."""
        self.notice(now)
        if isinstance(message, GossipMessage):
            rumors = [placed(Rumor(*it), sender, host) for it in message.rumors]
            if any(takes_for_dead(it, self.membership.me) for it in rumors):
                self.sync.copies.doubt()
            heard = Gossip(message.kind, message.id, message.about, message.digest, rumors)
            self._apply(self.membership.step(sender, heard, now / SECOND), now)
            if self.membership.is_replaced:
                self.shut_out(now)
            if message.kind in {Kind.ASK_ALL, Kind.ALL}:
                self.introduced.add(sender)
            elif message.kind == Kind.ACK and message.about:
                self._vouched(message.about, sender, now)
        elif isinstance(message, Stay):
            self._hear_of_heirs(sender, message)
        else:
            self._post(self.sync.step(sender, message, now))
            if isinstance(message, Buckets):
                self._note_progress(now)
        self._post(self.sync.copies.questions(now, self.mesh.is_up))  # checks may wait for it
        self._proceed(now)

    def _vouched(self, name: str, by: str, now: int) -> None:
        """Note that another node has just heard of one; what we don't hear, we lack."""
        if name in self.ring and name != self.name:
            self.vouchers.add(name, by, now)
            if not self.mesh.is_up(name):
                self.sync.copies.fall_behind(name)

    def doubt(self, name: str, now: int) -> None:
        """Note that a node doesn't answer checks; others may know that it is there."""
        if not self.vouchers.is_fresh(name, now):
            self._apply(self.membership.doubt(name, now / SECOND), now)

    def _hear_of_heirs(self, sender: str, message: Stay) -> None:
        if message.promise is not Promise.ASKED:
            self.heirs.answered(sender, message)
            return
        leaves = self.stage in FLUSHING
        holds = self.stage in HOLDING or (leaves and self._decided)
        answer = self.heirs.answer(sender, message, holds=holds, leaves=leaves)
        self.mesh.post(sender, answer)

    def _note_progress(self, now: int) -> None:
        """Wait on for what still arrives, as long as there is any sense in it."""
        if self.stage in {Stage.JOINING, Stage.SETTLING}:
            later = min(now + SETTLE_WITHIN, self._since + JOIN_AT_MOST)
            self._deadline = max(self._deadline, later)

    def tick(self, now: int) -> int:
        """Do what is due; return in how many ns to call again, 0 for as soon as possible."""
        self.notice(now)
        self._apply(self.membership.tick(now / SECOND), now)
        self._post(self.sync.tick(now))
        if not self.sync.is_settled and self._all_agree(unheard=False):
            self.sync.settle()
        if isinstance(self.route, Detour) and self.sync.copies.is_settled:
            self._reroute()
        self._proceed(now)
        wait = self._wait(now)
        self.late_at = now + wait + self.stall
        return wait

    def _wait(self, now: int) -> int:
        if self.sync.working:
            return 0
        return min(TICK_EVERY, self.sync.flush_due(now)) if self.sync.changed else TICK_EVERY

    def notice(self, now: int) -> None:
        """Find out whether this process has stood still; to be called before anything is decided.

        Others have stood in for it then, and it must not decide before they have told it.
        """
        if now <= self.late_at:
            return
        gap = now - self.late_at + self.stall
        self.late_at = now + TICK_EVERY + self.stall
        level = logging.WARNING if gap >= LONG else logging.DEBUG  # short ones are for metrics
        log.log(level, "node %s: stood still for %.2f s", self.name, gap / SECOND)
        self.membership.woke(gap / SECOND, now / SECOND)
        self.sync.copies.doubt()
        self._stood_still(gap, now)

    def _stood_still(self, gap: int, now: int) -> None:
        """Ask others what they decided meanwhile, though they had told us before it all they knew.

        Who is on its way onto the ring is sent each change anyhow, and has lost but the time.
        """
        if self.stage in {Stage.MEMBER, Stage.RETURNING}:
            self._enter(Stage.RETURNING, now, RETURN_WITHIN)
        elif self.stage is Stage.SETTLING:
            self._deadline = now + SETTLE_WITHIN
        else:
            self._deadline += gap
            if self.stage not in FLUSHING:
                return
            self._is_untold = True
        self._post(self.sync.pull(self._owners(), Part.REST))
        self._reroute()
        self._proceed(now)

    # --- the place on the ring

    def begin(self, now: int) -> None:
        """Count from now on: what came before, such as reading a file, was no standing still."""
        self.late_at = now + TICK_EVERY + self.stall

    def join(self, now: int) -> None:
        """Take a place on the ring, now that the others have been looked for."""
        if self.stage is not Stage.STARTING:
            return
        self._apply(self.membership.claim(self.tag, self.incarnation, now / SECOND), now)
        if self.leaf:
            self._enter(Stage.LEAF, now)
            self.joined = True
            return
        self._enter(Stage.JOINING, now, JOIN_WITHIN)
        self._post(self.sync.pull(self._owners(), Part.ALL))
        self._proceed(now)

    def shut_out(self, now: int) -> bool:
        """Give up the place at once: another node has it. False if there is none; `join` again.

        It decides nothing more: the other one does, whose buckets it doesn't know.
        """
        if self.stage not in ON_THE_WAY:
            return False
        self.joined = False
        self._apply(self.membership.announce(now / SECOND, owner=False), now)
        self.membership.disclaim()
        self._enter(Stage.STARTING, now)
        return True

    def leave(self, now: int, within: int, *, patient: bool = True) -> None:
        """Give up the place on the ring; `stage` is LEAF once that is done, `within` ns at most.

        It is MEMBER again if no other owner has come by then who could take the buckets, or at once
        unless `patient`. One that comes late is given two fifths of that time more to take them.
        """
        if self.stage in {Stage.LEAF, Stage.LEAVING} | FLUSHING:
            return
        self._drain_until = now + within
        self._grace = within // 5
        self._latest = self._drain_until + 2 * self._grace
        self._patient = patient
        self._decided = self.stage is Stage.MEMBER
        self._is_untold = False
        self._enter(Stage.FLUSHING, now, within * 4 // 5)
        self.sync.keep_short = True
        self._proceed(now)

    def _seek_heir(self, now: int, *, overdue: bool) -> None:
        """Give up the place once another owner has promised to stay; until then wait for one."""
        if self._is_untold and not (self.sync.waiting or self._out_of_reach()):
            self._is_untold = False
            self._reroute()
        owners = [name for name in self._owners() if self.mesh.is_up(name)]
        self._aim(owners)
        if owners and self.stage is Stage.WAITING:
            self._flush_to_newcomer(now)
            overdue = False
        heirs = self.heirs.promised.intersection(owners)
        if self.name not in self.ring or (heirs and (overdue or self.sync.caught_up)):
            self._give_up_place(now)
        elif now >= self._wait_until or not (owners or self._patient):
            self._stay(now)
        else:
            if not owners and self.stage is Stage.FLUSHING:
                self.stage = Stage.WAITING
                self.on_stage(self.stage)
            self._post(self.heirs.ask(owners, now))

    @property
    def _wait_until(self) -> int:
        return self._latest if self.sync.is_pulled else self._drain_until

    def _flush_to_newcomer(self, now: int) -> None:
        """Give the one that has come the time to take the buckets, and to notice."""
        self._deadline = min(max(self._deadline, now + self._grace), self._latest)
        self._drain_until = min(max(self._drain_until, now + 2 * self._grace), self._latest)
        self.stage = Stage.FLUSHING
        self.on_stage(self.stage)

    def _aim(self, owners: list[str]) -> None:
        """Have all buckets sent to owners that can be reached, if there are any: to no others."""
        some = owners and len(owners) < len(self._owners())
        names = tuple(owners) if some else self.ring.nodes
        if names != self.sync.ring.nodes:
            self.sync.aim(self.make_ring(self.ring, names))

    def _stay(self, now: int) -> None:
        """Keep the place and the buckets, which nobody has taken."""
        self.heirs.forget()
        self.sync.keep_short = False
        self._aim([])
        self.joined = True
        if self._is_untold:
            self._enter(Stage.RETURNING, now, RETURN_WITHIN)
        else:
            self._enter(Stage.MEMBER, now)

    def _take_back(self, now: int) -> None:
        """Take the place again: nobody is left on the ring who would have the buckets."""
        self.heirs.forget()
        self._enter(Stage.FLUSHING, now, max(self._drain_until - now, 0) * 4 // 5)
        self._apply(self.membership.announce(now / SECOND, owner=True), now)

    def depart(self, now: int) -> None:
        """Tell everyone that this node is gone for good."""
        self._apply(self.membership.announce(now / SECOND, left=True), now)

    @property
    def _is_taken(self) -> bool:
        """Has everyone merged what this node sent, and noticed that it is off the ring?"""
        missing = self._decided and not self._has_heir
        return self.sync.idle and not self.sync.waiting and not missing

    @property
    def _has_heir(self) -> bool:
        """Is there an owner that can be reached?"""
        return any(map(self.mesh.is_up, self._owners()))

    def _out_of_reach(self) -> bool:
        """Is there an owner that can't be reached?"""
        return not all(map(self.mesh.is_up, self._owners()))

    def _owners(self) -> list[str]:
        return [name for name in self.membership.owners() if name != self.name]

    def _enter(self, stage: Stage, now: int, within: int = 0) -> None:
        if stage is not Stage.LEAVING:  # which goes on where FLUSHING began
            self._since = now
        self.stage = stage
        self._deadline = now + within
        self._reroute()
        self.on_stage(stage)

    def _proceed(self, now: int) -> None:
        """Go on to the next stage when this one is done, or has taken too long."""
        overdue = now >= self._deadline
        match self.stage:
            case Stage.JOINING if overdue or not self.sync.waiting:
                self._passed(Stage.JOINING, now, overdue=bool(self.sync.waiting))
                self._take_place(now)
            case Stage.SETTLING if overdue or not self.sync.waiting:
                self._enter(Stage.MEMBER, now)
                self.joined = True
            case Stage.RETURNING if overdue or not (self.sync.waiting or self._out_of_reach()):
                self._passed(Stage.RETURNING, now, overdue=bool(self.sync.waiting))
                self._enter(Stage.MEMBER, now)
            case Stage.FLUSHING | Stage.WAITING:
                self._seek_heir(now, overdue=overdue)
            case Stage.LEAVING if self._decided and not overdue and not self._has_heir:
                self._take_back(now)
            case Stage.LEAVING if overdue or self._is_taken:
                self.is_overdue = not self._is_taken
                self._passed(Stage.LEAVING, now, overdue=self.is_overdue)
                self._enter(Stage.LEAF, now)
                self.sync.rest()
            case _:
                pass

    def _take_place(self, now: int) -> None:
        # Whoever stood in for a node that broke off knows only now that we lack its part.
        part = Part.ALL if self.sync.missed or self.sync.waiting else Part.REST
        self._enter(Stage.SETTLING, now, SETTLE_WITHIN)
        self._apply(self.membership.announce(now / SECOND, owner=True), now)
        self._post(self.sync.pull(self._owners(), part))
        self._proceed(now)

    def _give_up_place(self, now: int) -> None:
        """Send the last changes, and on the same links after them that the place is free."""
        self._enter(Stage.LEAVING, now, max(self._drain_until - now, 0))
        self._post(self.sync.flush(now, at_once=True))
        self._apply(self.membership.announce(now / SECOND, owner=False), now)
        living = [member.name for member in self.membership.living()]
        self._post(self.sync.pull(living, Part.NOTHING))  # answered by who has noticed
        self._proceed(now)

    def _passed(self, stage: Stage, now: int, *, overdue: bool) -> None:
        self.passages[stage].add(now - self._since, overdue=overdue)

    # --- what follows from it

    def _apply(self, outcome: Outcome, now: int) -> None:
        if outcome.changed:
            for member in outcome.changed:
                if member.state >= State.DEAD and member.name != self.name:
                    self.sync.gone(member.name)
                    self.vouchers.drop(member.name)
                    self.introduced.discard(member.name)
            self.mesh.members_changed(outcome.changed)
            self._rebuild(now)
        for name, gossip in outcome.sends:
            rumors = [
                (it[0], it[1], it[2], int(it[3]), int(it[4]), it[5], it[6]) for it in gossip.rumors
            ]
            message = GossipMessage(
                int(gossip.kind), gossip.id, gossip.about, gossip.digest, rumors
            )
            self.mesh.post(name, message)

    def _rebuild(self, now: int) -> None:
        names = self.membership.owners()
        if names == self.ring.nodes:
            return
        self.newcomers.ring_changed(names, placed=self.name in self.ring, now=now)
        self.ring = self.make_ring(self.ring, names)
        self.membership.digest = self.ring.digest
        self.sync.ring_changed(self.ring)
        self._reroute()
        self._post(self.sync.flush(now))  # what is somebody else's now shouldn't wait
        self.mesh.ring_changed()

    def _reroute(self) -> None:
        self.route = route_of(
            self.ring, self._without_me, self.sync.copies, self.name, told=self._is_told
        )

    def _without_me(self) -> Ring:
        others = tuple(name for name in self.ring.nodes if name != self.name)
        return self.make_ring(self.ring, others)

    @property
    def _is_told(self) -> bool:
        """Has this node been told what others decided for it, as far as they know its place?"""
        still = self.stage in FLUSHING and self._decided and not self._is_untold
        return still or self.stage is Stage.MEMBER

    def _post(self, outgoing: Iterable[tuple[str, NodeMessage]]) -> None:
        for name, message in outgoing:
            self.mesh.post(name, message)

    def decides(self, key: str) -> bool:
        """May this node decide about a key by its own table, as the owner or in its place?

        Only if it holds what there is to know; of its own keys it doesn't after a standstill.
        """
        is_told = self._is_told
        if self.stage is Stage.RETURNING:
            is_told = self.ring.pair(key)[0] != self.name
        return is_told and self.sync.copies.hold(key)

    @property
    def has_share(self) -> bool:
        """May this node decide by its share when it can't ask those who know?"""
        return self.name in self.ring
