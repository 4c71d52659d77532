"""Nodes on a simulated network: the real cluster, sync, ring, buckets and node code, and links.

Made up are only what carries messages (`links.py`) and what looks for seeds. All clocks start
anywhere, as they do on real machines.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

from sidegate.buckets.buckets import BucketTable
from sidegate.buckets.limits import SECOND
from sidegate.client.unreachable.fallback import Fallback
from sidegate.protocol.cache_messages import CACHE_MESSAGES
from sidegate.protocol.holds.lease_messages import Borrow, Lent, Returned
from sidegate.protocol.holds.reservation_messages import Commit, Reserve, Reserved
from sidegate.protocol.holds.slot_messages import SLOT_MESSAGES
from sidegate.protocol.messages import NODE_MESSAGES, Answers, Checks, Forget, Gossip, Ping, Pong
from sidegate.reservations.reservation_ids import ReservationIds
from sidegate_ring.membership.membership import Life, SwimKind
from sidegate_ring.membership.messages import MAX_IN_FULL
from sidegate_sidecar.cluster.cluster import Cluster, Stage
from sidegate_sidecar.node.node import Node
from sidegate_sidecar.reports.activity import Activity
from sidegate_sidecar.reports.counting import Counting
from tests.simulation.caching import SimCache
from tests.simulation.holds.reserving import SimHolds
from tests.simulation.holds.slots import SimSlots
from tests.simulation.links import BUDGET, SimLink

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sidegate.protocol.messages import (
        Message,
        NodeMessage,
        Rumor,
    )
    from sidegate_ring.membership.membership import Member
    from tests.simulation.world import World

REDIAL = 0.5  # seconds between two tries to connect
WORK = 0.0005  # seconds for a slice of work: then others have their turn
WALL = 1_800_000_600 * SECOND  # what clocks on the wall show when it begins, ten past an hour
SKEW = SECOND // 4  # ns: by so much they are off, each by its own


class SimNode:
    """One node: a host of the network, the transport of its cluster, the links of its node."""

    def __init__(self, world: World, name: str, *, leaf: bool = False, zone: str = "") -> None:
        self.world = world
        self.network = world.network
        self.name = name
        self.seeds: tuple[str, ...] = ()
        self.links: dict[str, SimLink] = {}
        self.buried: list[tuple[str, float]] = []
        self.ring_changes = 0
        self.gossip = 0  # messages about who is there that it has heard
        self.on_ring: dict[str, float] = {}  # since when, as this node sees it
        self._offset = world.network.random.randrange(10**6) * SECOND
        self._wanted: set[str] = set()
        self._beat_at = 0.0
        self._beats = 0
        table = BucketTable()
        table.windows.set(WALL - self._offset + Random(name).randrange(-SKEW, SKEW))
        self.cluster = Cluster(
            name,
            f"{name}:7171",
            table,
            self,
            incarnation=1_800_000_000 + int(world.network.now),
            randrange=world.network.random.randrange,
            now=self.clock(),
            leaf=leaf,
            zone=zone,
            on_split=world.on_split,
            timing=world.timing,
            reservation_ids=ReservationIds("", tuple, lambda: table.windows.wall + self.clock()),
            make_ring=world.ring_of,
            on_ring=self.ring_changed,
        )
        self.node = Node(
            name, table, self.cluster, self, Fallback(world.on_unreachable, table),
            budget=BUDGET, clock=self.clock, wake=self._wake,
            serial=world.random.getrandbits(62), after=self._after,
            counting=Counting(Activity(), self.clock, None, Activity()),
        )  # fmt: skip
        self.values = SimCache(self)
        self.holds = SimHolds(self)
        self.slots = SimSlots(self)

    def clock(self) -> int:
        """Return the time of this machine's monotonic clock, in ns."""
        return int(self.network.now * SECOND) + self._offset

    # --- its life

    def start(self, seeds: Sequence[str]) -> None:
        """Start, and join once the seeds have answered or failed."""
        self.network.start(self.name, self)
        self.seeds = tuple(name for name in seeds if name != self.name)
        self._beat()
        self._dial()
        self._look(self.network.now + 2.0)

    def _look(self, deadline: float) -> None:
        """Wait for all that we are connected with to have said what they know."""
        net = self.network
        linked = {it for it in {*self.seeds, *self._wanted} if net.connected(self.name, it)}
        reached = bool(linked) or not self.seeds
        if net.now >= deadline or (reached and linked <= self.cluster.met.introduced):
            self.cluster.place.join(self.clock())
        else:
            net.at(net.now + 0.02, self.name, lambda: self._look(deadline))

    def leave(self, within: float = 10.0) -> None:
        """Begin to leave."""
        self.cluster.place.leave(self.clock(), int(within * SECOND))
        self._wake()

    def know(self, members: Sequence[Member]) -> None:
        """Know all nodes of a large cluster, and be connected with them, with nothing to tell.

        But for leaves, which know no others.
        """
        known = [it for it in members if it.name != self.name]
        if self.cluster.leaf:
            known = [it for it in known if not it.is_leaf]
        others: list[Rumor] = [it.rumor[:7] for it in known]
        roles = [it.role for it in known]
        for name, *_ in others:
            self.network.link(self.name, name)
            self._link(name).up()
            # Else each would be asked for all that it knows: 500 nodes would send 250,000 lists of
            # 500, 13 GB of them at the same time.
            self.cluster.met.introduced.add(name)
        for at in range(0, len(others), MAX_IN_FULL):
            some, its = others[at : at + MAX_IN_FULL], roles[at : at + MAX_IN_FULL]
            said = Gossip(int(SwimKind.FULL_STATE), 0, "", "", some, None, its)
            self.cluster.step("nobody", said, self.clock())
        self.cluster.membership._outgoing.tell_leaves(())
        for name, *_ in others:
            self.cluster.membership._outgoing.forget(name)

    def is_leaf(self) -> bool:
        """Tell if it has left the ring."""
        return self.cluster.stage is Stage.LEAF

    def _dial(self) -> None:
        """Connect with the living, the dead and the seeds, again and again."""
        net, membership = self.network, self.cluster.membership
        self._wanted = {member.name for member in [*membership.living(), *membership.dead()]}
        for name in sorted({*self._wanted, *self.seeds}):
            if not net.connected(self.name, name):
                net.dial(self.name, name)
            elif name not in self.cluster.met.introduced:
                self.cluster.on_connected(name, self.clock())
        net.at(net.now + REDIAL, self.name, self._dial)

    def _beat(self) -> None:
        self._beats += 1
        wait = self.cluster.tick(self.clock()) / SECOND
        self.values.tick()
        self.slots.tick()
        self._beat_in(max(wait, WORK))

    def _beat_in(self, wait: float) -> None:
        at = self.network.now + wait
        self._beat_at = at
        number = self._beats

        def beat() -> None:
            if self._beats == number:  # else there was an earlier one
                self._beat()

        self.network.at(at, self.name, beat)

    def _after(self, wait: float, work: Callable[[], None]) -> None:
        self.network.at(self.network.now + wait, self.name, work)

    def _wake(self) -> None:
        wait = self.cluster.sync.flush_due(self.clock()) / SECOND
        self._hurry(wait)

    def _hurry(self, wait: float = 0.0) -> None:
        if self.network.now + wait < self._beat_at:
            self._beats += 1
            self._beat_in(wait)

    # --- the host

    def receive(self, sender: str, message: Any) -> None:
        """Handle a message."""
        link = self._link(sender)
        link.heard()
        if isinstance(message, Checks):
            self.world.hops = max(self.world.hops, message.hops)
            self.node.decide(message, lambda answers: self._send(sender, answers), sender)
        elif isinstance(message, Answers):
            link.answered(message)
        elif isinstance(message, Ping):
            self._send(sender, Pong(message.id))
        elif isinstance(message, Reserve | Commit | Reserved | Borrow | Lent):
            self.holds.hear(sender, message)
        elif isinstance(message, Returned):
            self.node.leases.take_back(message)
        elif isinstance(message, CACHE_MESSAGES):
            self.values.hear(sender, message)
        elif isinstance(message, SLOT_MESSAGES):
            self.slots.hear(sender, message)
        elif isinstance(message, NODE_MESSAGES) and not isinstance(message, Forget):
            self.gossip += isinstance(message, Gossip)
            self.cluster.step(sender, message, self.clock())
            if self.cluster.sync.working:
                self._hurry()

    def on_connected(self, name: str) -> None:
        """Note a connection."""
        self._link(name).up()
        self.cluster.on_connected(name, self.clock())
        self.slots.up(name)
        self._hurry()

    def on_disconnected(self, name: str) -> None:
        """Note the loss of one."""
        self._link(name).broke()
        self.cluster.on_disconnected(name, self.clock())
        self._lost(name)
        self.holds.broke(name)
        self._hurry()

    def _lost(self, name: str) -> None:
        self.values.left(name)
        self.slots.left(name)

    def _link(self, name: str) -> SimLink:
        link = self.links.get(name)
        if link is None:
            link = self.links[name] = SimLink(self, name)
        return link

    def _send(self, name: str, message: Any) -> None:
        self.network.send(self.name, name, message)

    # --- the transport and the links

    def post(self, name: str, message: NodeMessage, /) -> None:
        """Send a message to a node."""
        self._send(name, message)

    def is_up(self, name: str, /) -> bool:
        """Tell if messages to that node arrive, as far as we know."""
        link = self.links.get(name)
        return link is not None and link.is_up

    def lacks(self, name: str, kind: type[Message], /) -> str:
        """All are of this release."""
        assert name != kind.__name__
        return ""

    def members_changed(self, changed: list[Member], /) -> None:
        """Connect with who is new, and let go of who is gone."""
        for member in changed:
            if member.name == self.name:
                continue
            if member.state == Life.DEAD:
                self.buried.append((member.name, self.network.now))
            if member.state >= Life.DEAD:
                self.network.close(self.name, member.name)
                self._link(member.name).broke()
                self._lost(member.name)
            elif not self.network.connected(self.name, member.name):
                self.network.dial(self.name, member.name)

    def ring_changed(self) -> None:
        """Count, and note since when each node is on the ring."""
        now = self.network.now
        self.ring_changes += 1
        self.values.ring_changed()
        self.slots.ring_changed()
        self.on_ring = {it: self.on_ring.get(it, now) for it in self.cluster.ring.nodes}

    def link_to(self, name: str, /) -> SimLink | None:
        """Return the link to a node."""
        return self.links.get(name)
