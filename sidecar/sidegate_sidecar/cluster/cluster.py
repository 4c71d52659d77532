"""A node's part in the cluster: who is there, which ring that makes, and its own place on it.

Two rings are kept. `ring` is what all nodes agree on: everyone alive who says that it is an owner.
`route` is where checks go, and has this node on it only while it may decide: a newcomer forwards
until it has been sent the buckets that it is to own, a node that stood still until it has been
told what others decided for it meanwhile, a node that leaves until it exits. How it comes to its
place, and leaves it, is in `place/`. Pure: `now` is in ns, messages go out by the transport.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sidegate.buckets.limits import SECOND
from sidegate.protocol.holds.reservation_messages import ReservationRows
from sidegate.protocol.messages import Buckets, Confirm, Gossip, Stay
from sidegate.protocol.standing_messages import OnSplit, Voters
from sidegate.reservations.reservation_ids import ReservationIds, unsigned
from sidegate_ring.hashring import Ring
from sidegate_ring.membership.membership import (
    Life,
    Membership,
    SwimKind,
    SwimMessage,
    Timing,
)
from sidegate_ring.membership.messages import role_of
from sidegate_sidecar.cluster.place.backoff import Backoff
from sidegate_sidecar.cluster.place.newcomers import Newcomers
from sidegate_sidecar.cluster.place.place import Place, ignore
from sidegate_sidecar.cluster.place.stages import Stage
from sidegate_sidecar.cluster.records.acquaintances import Acquaintances
from sidegate_sidecar.cluster.records.rules_held import RulesHeld
from sidegate_sidecar.cluster.records.rumors import gossip_of, rumors_of, takes_for_dead
from sidegate_sidecar.cluster.routes.detour import Detour, route_of
from sidegate_sidecar.cluster.routes.nowhere import Nowhere
from sidegate_sidecar.cluster.routes.rings import held_on, next_ring
from sidegate_sidecar.cluster.routes.vouchers import Vouchers
from sidegate_sidecar.cluster.routes.warming import Warming
from sidegate_sidecar.cluster.split.side import Side
from sidegate_sidecar.replication.sync import Sync

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import TypeAlias

    from sidegate.buckets.buckets import BucketTable
    from sidegate.protocol.messages import Check, NodeMessage
    from sidegate_ring.membership.membership import Effects
    from sidegate_sidecar.cluster.routes.transport import Transport
    from sidegate_sidecar.replication.early.confirming import Done, Wanted

    MakeRing: TypeAlias = Callable[[Ring, tuple[str, ...], Mapping[str, str]], Ring]

__all__ = ["Cluster", "Stage"]

log = logging.getLogger("sidegate")

TICK_EVERY = SECOND // 20  # ns between two ticks at the most
REST_EVERY = SECOND // 4  # ns between two that do anything, while nothing happens
LONG = SECOND  # ns of standing still that somebody should hear of
STALL = SECOND // 10  # ns that a tick may be late before others will have stood in for us


@dataclass(slots=True)
class Cluster:
    """This node among the others. `leaf` nodes never own a key."""

    name: str
    address: str
    table: BucketTable
    transport: Transport
    incarnation: int
    randrange: Callable[[int], int]
    now: int  # ns, at the beginning
    tag: int = 0  # tells this process from another one of its name, in 30 bits
    leaf: bool = False
    zone: str = ""  # where it runs: backups of what it owns are elsewhere, if all owners say where
    on_split: OnSplit = OnSplit.OPTIMISTIC
    stall: int = STALL
    timing: Timing = field(default_factory=Timing)
    empty: Ring = field(default_factory=Ring)  # from it all rings have their points and hashes
    reservation_ids: ReservationIds = field(default_factory=unsigned)  # signs those given here
    make_ring: MakeRing = next_ring
    on_ring: Callable[[], None] = ignore  # there is another ring
    on_side: Callable[[], None] = ignore  # this side of a split serves more of each limit, or less
    on_reset: Callable[[str, bool], None] = ignore  # of a key, or of all that begin with it
    membership: Membership = field(init=False)
    sync: Sync = field(init=False)
    ring: Ring = field(init=False)
    route: Ring | Detour | Nowhere = field(init=False)
    side: Side = field(init=False)
    rules: RulesHeld = field(init=False)
    late_at: int = field(init=False)  # when a tick is so late that this process has stood still
    ticked_at: int = field(init=False, default=0)  # when all was done that was due
    rests_until: int = field(init=False, default=0)  # when something is due, if nothing happens
    _tick_every: int = field(init=False)  # ns, at the most
    place: Place = field(init=False)
    vouchers: Vouchers = field(default_factory=Vouchers)
    met: Acquaintances = field(default_factory=Acquaintances)
    newcomers: Newcomers = field(default_factory=Newcomers)
    warming: Warming = field(default_factory=Warming)

    def __post_init__(self) -> None:
        self.ring = self.route = self.make_ring(self.empty, (), {})
        self._tick_every = REST_EVERY if self.leaf else TICK_EVERY  # who decides nothing has time
        self.rules = RulesHeld(self.name)
        self.membership = Membership(
            self.name,
            self.address,
            incarnation=self.incarnation,
            randrange=self.randrange,
            timing=self.timing,
            now=self.now / SECOND,
            role=role_of(leaf=self.leaf, zone=self.zone),
        )
        self.side = Side(
            self.on_split, self.membership, self._has_no_voters, self._side_moved, self.now
        )
        self.sync = Sync(self.name, self.table, self.transport.is_up, self.ring, self._was_reset)
        self.place = Place(
            self.membership,
            self.sync,
            self.transport,
            apply=self._apply,
            post=self._post,
            aim=self._aim,
            moved=self._reroute,
            leaf=self.leaf,
            tag=self.tag,
            incarnation=self.incarnation,
            backoff=Backoff(self.randrange),
        )
        self.begin(self.now)

    def _was_reset(self, key: str, begins: bool) -> None:  # as on_reset
        self.sync.rows.reservations.void(key, begins=begins)
        self.on_reset(key, begins)  # which may be another function by now

    def _has_no_voters(self, name: str) -> bool:
        return bool(self.transport.lacks(name, Voters))

    def _side_moved(self, are_back: bool, now: int) -> None:
        self.on_side()  # which may be another function by now
        if are_back:  # as after a standstill: others have decided what it doesn't know
            self.place.stood_still(0, now)
        self._reroute()

    @property
    def stage(self) -> Stage:
        """Where this node stands on its way onto the ring and off it."""
        return self.place.stage

    @property
    def parts(self) -> int:
        """How many may decide alone: all nodes, of which a leaf is told, and those split off."""
        known = len(self.membership.living()) + 1
        return (max(known, self.met.told_of) if self.leaf else known) + self.side.away

    @property
    def agrees(self) -> bool:
        """Do all nodes that this one hears from hold the same ring?"""
        return self._all_agree(unheard=True)

    def _all_agree(self, *, unheard: bool) -> bool:
        """Tell if all other owners hold this ring; `unheard`: those that haven't said may, too."""
        held = {self.ring.digest, ""} if unheard else {self.ring.digest}
        return all(it.digest in held for it in self.membership.core())

    def held(self) -> tuple[int, int]:
        """Return the buckets held as owner and as backup; of many, an estimate."""
        return held_on(self.ring, self.name, self.table)

    # --- what happens

    def on_connected(self, name: str, now: int) -> None:
        """Called when a link to a node came up."""
        self.sync.resets.on_connected(name)  # it is told of them before anything else
        effects = self.membership.on_connected(name, now / SECOND)
        self.met.connected(name, effects)
        self._apply(effects, now)
        self._post(self.side.tell(name))
        self.place.connected(name)
        self._post(self.sync.tick(now))  # it may be owed something

    def on_disconnected(self, name: str, now: int) -> None:
        """Called when the link to a node broke."""
        self.met.disconnected(name)
        self.place.heirs.on_disconnected(name)
        self.sync.unreachable(name, now)
        self._apply(self.membership.on_disconnected(name, now / SECOND), now)
        self.place.proceed(now)

    def forget(self, name: str, now: int) -> str:
        """Count a node no more that is lost; return why not, for people, "" if it is done."""
        why = self.side.forget(name)
        self._post(self.side.look(now))
        return why

    def reset(self, key: str, number: int, now: int) -> None:
        """Make the buckets of a key full, here and on all nodes; `number` is that of no other."""
        self._post(self.sync.reset(key, number, now))

    def reset_all(self, prefix: str, number: int, now: int) -> None:
        """Begin to make the buckets of all keys that begin so full, here and on all nodes."""
        self._post(self.sync.reset_all(prefix, number, now))

    def back_up(self, checks: Sequence[Check], now: int) -> None:
        """Have buckets that are at risk backed up before the next flush."""
        self._post(self.sync.early.at_risk.send(checks, now))

    def confirm(self, wanted: Wanted, until: int, done: Done, now: int) -> None:
        """Have another node know what these checks have charged; see `Confirming.ask`."""
        self._post(self.sync.early.confirming.ask(wanted, until, done, now))

    def step(self, sender: str, message: NodeMessage, now: int, host: str = "") -> None:
        """Handle a message of a node, which came from that host. ValueError for nonsense."""
        self.notice(now)
        if isinstance(message, Gossip):
            self._hear_gossip(sender, message, now, host)
        elif isinstance(message, Stay):
            self.place.hear_of_heirs(sender, message)
        elif isinstance(message, Voters):
            self._post(self.side.hear(sender, message))
        else:
            if isinstance(message, Confirm) and (member := self.membership.members.get(sender)):
                member.digest = message.ring  # known sooner than by gossip
            self._post(self.sync.step(sender, message, now))
            if isinstance(message, Buckets):
                self.place.note_progress(now)
        self._post(self.sync.copies.questions(now, self.transport.is_up))  # checks may wait for it
        self.place.proceed(now)

    def _hear_gossip(self, sender: str, message: Gossip, now: int, host: str) -> None:
        rumors = rumors_of(message, sender, host)
        if any(takes_for_dead(it, self.membership.me) for it in rumors):
            self.sync.copies.doubt()
        heard = SwimMessage(message.kind, message.id, message.about, message.digest, rumors)
        effects = self.membership.step(sender, heard, now / SECOND)
        self.met.heard(sender, message, is_owner=sender in self.ring)
        self._apply(effects, now)
        if self.membership.is_replaced:
            self.place.shut_out(now)
        if (member := self.membership.members.get(sender)) and member.living:
            self.rules.hear(sender, message.rules)
        if message.kind == SwimKind.ACK and message.about:
            self._vouched(message.about, sender, now)

    def hold_rules(self, digest: str) -> None:
        """Tell all nodes at once which rules are in force here; whoever is met later hears too."""
        self.rules.mine = digest
        word = Gossip(int(SwimKind.RUMORS), 0, "", self.ring.digest, [], digest)
        for member in self.membership.living():
            self.transport.post(member.name, word)

    def _vouched(self, name: str, by: str, now: int) -> None:
        """Called when another node has just heard of one; what we don't hear, we lack."""
        if name in self.ring and name != self.name:
            self.vouchers.add(name, by, now)
            if not self.transport.is_up(name):
                self.sync.copies.fall_behind(name)

    def doubt(self, name: str, now: int) -> None:
        """Called when a node doesn't answer checks; others may know that it is there."""
        if not self.vouchers.is_fresh(name, now):
            self._apply(self.membership.doubt(name, now / SECOND), now)

    def tick(self, now: int, has_time: Callable[[], bool] = lambda: False) -> int:
        """Do what is due, and work while there is time; return in how many ns to call again."""
        self.notice(now)
        if now < self.rests_until and self.is_quiet:  # it only notes that it runs
            self.begin(now)
            return min(self.rests_until - now, self._tick_every)
        self.ticked_at = now
        self._apply(self.membership.tick(now / SECOND), now)
        self._post(self.side.tick(now))
        self._probe_in_doubt(now)
        self._post(self.sync.tick(now))
        self.warming.tick(self.ring, now)
        if isinstance(self.route, Detour) and self.sync.copies.is_settled:
            self._reroute()
        return self._go_on(now, has_time)

    def work(self, now: int, has_time: Callable[[], bool] = lambda: False) -> int:
        """Go on with the work that can wait, between two ticks; else as `tick`."""
        self.notice(now)
        self._post(self.sync.work(now))
        return self._go_on(now, has_time)

    def _go_on(self, now: int, has_time: Callable[[], bool]) -> int:
        while has_time() and self.sync.working:
            self._post(self.sync.work(now))
        if self.sync.may_settle and self._all_agree(unheard=False):
            self.sync.settle()
        self.place.proceed(now)
        wait = self._wait(now)
        self.late_at = now + wait + self.stall
        return wait

    def _wait(self, now: int) -> int:
        if self.sync.working:
            return 0
        due = self.sync.flush_due(now) if self.sync.has_changes else self.sync.early.due(now)
        rest = min(REST_EVERY, int(self.membership.probe_at * SECOND) - now) if self.is_quiet else 0
        wait = min(max(rest, TICK_EVERY), due)
        self.rests_until = now + wait
        return min(wait, self._tick_every)

    @property
    def is_quiet(self) -> bool:
        """Does nobody wait for the next tick? What is to be sent calls for one."""
        return self.side.is_quiet and self.place.is_settled and self.sync.is_quiet

    def notice(self, now: int) -> None:
        """Find out whether this process has stood still; to be called before anything is decided.

        Others have stood in for it then, so it must not decide before they have told it.
        """
        if now <= self.late_at:
            return
        gap = now - self.late_at + self.stall
        self.begin(now)
        level = logging.WARNING if gap >= LONG else logging.DEBUG  # short ones are for metrics
        log.log(level, "node %s: stood still for %.2f s", self.name, gap / SECOND)
        self.membership.on_resume(gap / SECOND, now / SECOND)
        self.place.stood_still(gap, now)

    def begin(self, now: int) -> None:
        """Count from now on: what came before, such as reading a file, was no standing still."""
        self.late_at = now + self._tick_every + self.stall

    # --- what follows from it

    def _apply(self, outcome: Effects, now: int) -> None:
        if outcome.changed:
            for member in outcome.changed:
                if member.state >= Life.DEAD and member.name != self.name:
                    self.sync.gone(member.name)
                    self.vouchers.drop(member.name)
                    self.met.gone(member, leaf=self.leaf)
                    self.rules.forget(member.name)
            self.transport.members_changed(outcome.changed)
            self._rebuild(now)
            self._post(self.side.look(now))
            self._probe_in_doubt(now)
        nodes = len(self.membership.living()) + 1
        for name, gossip in outcome.sends:
            self.transport.post(name, gossip_of(gossip, self.rules.mine, nodes))

    def _probe_in_doubt(self, now: int) -> None:
        if self.side.is_in_doubt(now):
            self._apply(self.membership.probe_all(now / SECOND), now)

    def _rebuild(self, now: int) -> None:
        names, zones = self.membership.owners(), self.membership.zones()
        if names == self.ring.nodes and zones == self.ring.zones:
            return
        self.newcomers.ring_changed(names, placed=self.name in self.ring, now=now)
        self.ring = self.make_ring(self.ring, names, zones)
        self.membership.digest = self.ring.digest
        self.sync.ring_changed(self.ring)
        self._reroute()
        self._post(self.sync.flush(now))  # what is somebody else's now shouldn't wait
        self.on_ring()

    def _aim(self, names: tuple[str, ...]) -> None:
        """Have buckets sent by the ring of some nodes only, or by that of all."""
        names = names or self.ring.nodes
        if names != self.sync.ring.nodes:
            self.sync.aim(self.make_ring(self.ring, names, self.ring.zones))

    def _reroute(self) -> None:
        if not self.side.decides:
            self.route = Nowhere()
            return
        is_told, is_new = self.place.is_told, self.stage in {Stage.JOINING, Stage.SETTLING}
        self.route = route_of(self.ring, self.sync.copies, self.name, told=is_told, new=is_new)

    def _post(self, outgoing: Iterable[tuple[str, NodeMessage]]) -> None:
        for name, message in outgoing:
            if type(message) is ReservationRows and self.transport.lacks(name, ReservationRows):
                self.sync.rows.landed(name, message.id)  # an older release has no place for them
            else:
                self.transport.post(name, message)

    def decides(self, key: str) -> bool:
        """May this node decide about a key by its own table, as the owner or in its place?

        If it holds what there is to know; of its own keys it doesn't after a standstill.
        """
        if not self.side.decides:
            return False
        is_told = self.place.is_told
        if self.stage is Stage.RETURNING:
            is_told = self.ring.pair(key)[0] != self.name
        return is_told and self.sync.copies.hold(key)
