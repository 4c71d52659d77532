"""Whole nodes on a simulated network: the real cluster, sync, ring, buckets and node code.

Made up are only what carries messages (a link with a budget and a breaker, in virtual time) and
what looks for seeds. All clocks start anywhere, as they do on real machines.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sidegate.buckets.buckets import Buckets
from sidegate.buckets.limits import SECOND
from sidegate.client.unreachable.fallback import Fallback
from sidegate.link.in_flight import Flight
from sidegate.protocol.messages import NODE_MESSAGES, Answers, Checks, Forget, Gossip, Ping, Pong
from sidegate_ring.hashring import Ring
from sidegate_ring.membership.membership import Kind, State, Timing
from sidegate_ring.places import seeded
from sidegate_sidecar.cluster.cluster import Cluster, Stage
from sidegate_sidecar.cluster.place.stages import FLUSHING
from sidegate_sidecar.node.node import Node
from tests.simulation.known import Known
from tests.simulation.network import Faults, Network

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sidegate.link.in_flight import Asker
    from sidegate.protocol.messages import Check, Holdings, Ids, NodeMessage, Rumor
    from sidegate_ring.membership.membership import Member

POINTS = 16  # of a node on the ring: building one of 500 nodes takes 512 thirty times as long
EMPTY = Ring(points=POINTS, key_hash=seeded(b"of each simulated ring"))
BUDGET = 0.05  # seconds for a check
PATIENCE = 0.02  # seconds of silence that make a link suspect
PROBE_EVERY = 0.1  # seconds between two pings to a suspect
GRACE = 0.001  # seconds between the end of a budget and giving up
HUNG_AFTER = 5.0  # seconds after which a suspect is given up
REDIAL = 0.5  # seconds between two tries to connect
WORK = 0.0005  # seconds for a slice of work: then others have their turn
LATE = 2 * BUDGET  # seconds after which an answer comes from before a standstill
TCP = Faults(ordered=True)


class SimLink:
    """A link: questions with a deadline each, and a breaker."""

    def __init__(self, node: SimNode, peer: str) -> None:
        self._node = node
        self._peer = peer
        self._flights: dict[int, Flight] = {}
        self._last_id = 0
        self._silent_since: float | None = None
        self._suspect_since: float | None = None

    @property
    def is_up(self) -> bool:
        """Is it connected and not suspect?"""
        return self._suspect_since is None and self._node.network.connected(
            self._node.name, self._peer
        )

    @property
    def takes_checks(self) -> bool:
        """Would `ask` take a check now?"""
        return self.is_up

    def ask(self, checks: list[Check], hops: int, budget: float, asker: Asker, ids: Ids) -> bool:
        """Send checks."""
        if not self.is_up:
            return False
        net = self._node.network
        self._last_id = number = self._last_id + 1
        self._flights[number] = Flight(asker, len(checks))
        if self._silent_since is None:
            self._silent_since = net.now
        frame = Checks(number, hops, int(budget * 1e6), checks, *ids)
        net.send(self._node.name, self._peer, frame)
        net.at(net.now + budget, self._node.name, lambda: self._read_then_expire(number))
        return True

    async def inspect(self, key: str, *, reset: bool, hops: int, budget: float) -> Holdings | None:
        """Not simulated."""
        raise AssertionError((key, reset, hops, budget))

    def heard(self) -> None:
        """Note a sign of life."""
        self._silent_since = None
        if self._suspect_since is not None:
            self._suspect_since = None
            self._node.cluster.met(self._peer, self._node.clock())

    def answered(self, answers: Answers) -> None:
        """Hand answers over; late ones are for nobody."""
        flight = self._flights.get(answers.id)
        if flight is not None:
            flight.land(answers)
            if not flight.left:
                del self._flights[answers.id]

    def broke(self) -> None:
        """Give up what is on its way."""
        self._suspect_since = self._silent_since = None
        flights = list(self._flights.values())
        self._flights.clear()
        for flight in flights:
            flight.crash()

    def _read_then_expire(self, number: int) -> None:
        """Give what has already arrived at a node that stood still the time to be read."""
        net = self._node.network
        net.at(net.now + GRACE, self._node.name, lambda: self._expire(number))

    def _expire(self, number: int) -> None:
        flight = self._flights.pop(number, None)
        if flight is None:
            return
        now = self._node.network.now
        if self._silent_since is not None and now - self._silent_since >= PATIENCE:
            self._suspect(now)
        flight.crash()

    def _suspect(self, now: float) -> None:
        if self._suspect_since is None:
            self._suspect_since = now
            self._probe()

    def _probe(self) -> None:
        net = self._node.network
        if self._suspect_since is None:
            return
        if net.now - self._suspect_since > HUNG_AFTER:
            net.close(self._node.name, self._peer)
            self._node.lost(self._peer)
            return
        net.send(self._node.name, self._peer, Ping(0))
        net.at(net.now + PROBE_EVERY, self._node.name, self._probe)


class SimNode:
    """One node: a host of the network, the transport of its cluster, the links of its node."""

    def __init__(self, world: World, name: str, *, leaf: bool = False) -> None:
        self.world = world
        self.network = world.network
        self.name = name
        self.seeds: tuple[str, ...] = ()
        self.links: dict[str, SimLink] = {}
        self.buried: list[tuple[str, float]] = []
        self.ring_changes = 0
        self.on_ring: dict[str, float] = {}  # since when, as this node sees it
        self._offset = world.network.random.randrange(10**6) * SECOND
        self._wanted: set[str] = set()
        self._beat_at = 0.0
        self._beats = 0
        table = Buckets()
        self.cluster = Cluster(
            name,
            f"{name}:7171",
            table,
            self,
            incarnation=1_800_000_000 + int(world.network.now),
            randrange=world.network.random.randrange,
            now=self.clock(),
            leaf=leaf,
            timing=world.timing,
            make_ring=world.ring_of,
            on_ring=self.ring_changed,
        )
        self.node = Node(
            name, table, self.cluster, self, Fallback("open", table),
            budget=BUDGET, clock=self.clock, wake=self._wake,
            serial=world.random.getrandbits(62), after=self._after,
        )  # fmt: skip

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
        if net.now >= deadline or (reached and linked <= self.cluster.introduced):
            self.cluster.place.join(self.clock())
        else:
            net.at(net.now + 0.02, self.name, lambda: self._look(deadline))

    def leave(self, within: float = 10.0) -> None:
        """Begin to leave."""
        self.cluster.place.leave(self.clock(), int(within * SECOND))
        self._wake()

    def know(self, rumors: Sequence[Rumor]) -> None:
        """Know all nodes of a large cluster, and be connected with them, with nothing to tell."""
        others = [it for it in rumors if it[0] != self.name]
        for name, *_ in others:
            self.network.link(self.name, name)
            self._link(name)
            # Else each would be asked for all that it knows: 500 nodes would send 250,000 lists of
            # 500, 13 GB of them at the same time.
            self.cluster.introduced.add(name)
        self.cluster.step("nobody", Gossip(int(Kind.ALL), 0, "", "", others), self.clock())
        for name, *_ in rumors:
            self.cluster.membership._voice.forget(name)

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
            elif name not in self.cluster.introduced:
                self.cluster.met(name, self.clock())
        net.at(net.now + REDIAL, self.name, self._dial)

    def _beat(self) -> None:
        self._beats += 1
        wait = self.cluster.tick(self.clock()) / SECOND
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
        elif isinstance(message, NODE_MESSAGES) and not isinstance(message, Forget):
            self.cluster.step(sender, message, self.clock())
            if self.cluster.sync.working:
                self._hurry()

    def met(self, name: str) -> None:
        """Note a connection."""
        self._link(name)
        self.cluster.met(name, self.clock())
        self._hurry()

    def lost(self, name: str) -> None:
        """Note the loss of one."""
        self._link(name).broke()
        self.cluster.lost(name, self.clock())
        self._hurry()

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

    def members_changed(self, changed: list[Member], /) -> None:
        """Connect with who is new, and let go of who is gone."""
        for member in changed:
            if member.name == self.name:
                continue
            if member.state == State.DEAD:
                self.buried.append((member.name, self.network.now))
            if member.state >= State.DEAD:
                self.network.close(self.name, member.name)
                self._link(member.name).broke()
            elif not self.network.connected(self.name, member.name):
                self.network.dial(self.name, member.name)

    def ring_changed(self) -> None:
        """Count, and note since when each node is on the ring."""
        now = self.network.now
        self.ring_changes += 1
        self.on_ring = {it: self.on_ring.get(it, now) for it in self.cluster.ring.nodes}

    def link_to(self, name: str, /) -> SimLink | None:
        """Return the link to a node."""
        return self.links.get(name)


@dataclass
class World:
    """All nodes, and what apps were told. `seed` makes it."""

    seed: int
    faults: Faults = TCP
    timing: Timing = field(default_factory=Timing)
    nodes: dict[str, SimNode] = field(default_factory=dict[str, SimNode])
    hops: int = 0
    admitted: list[tuple[float, str, str, str]] = field(
        default_factory=list[tuple[float, str, str, str]]
    )
    """(time, key, node that decided, source) of each check that was allowed."""
    asked: int = 0
    told: int = 0
    _rings: dict[tuple[str, ...], Ring] = field(default_factory=dict[tuple[str, ...], Ring])

    def __post_init__(self) -> None:
        self.network = Network(self.seed, self.faults)
        self.random = self.network.random
        self.known = Known(self)

    def ring_of(self, _like: Ring, names: tuple[str, ...]) -> Ring:
        """Return the one ring of these names: all nodes share it, since it never changes."""
        ring = self._rings.get(names)
        if ring is None:
            ring = self._rings[names] = EMPTY.of_nodes(names)
        return ring

    # --- nodes

    @property
    def running(self) -> list[SimNode]:
        """Nodes that run, paused or not."""
        return [it for name, it in self.nodes.items() if self.network.is_up(name)]

    @property
    def members(self) -> list[SimNode]:
        """Nodes that run and don't leave."""
        leaving = FLUSHING | {Stage.LEAVING, Stage.LEAF}
        return [it for it in self.running if it.cluster.stage not in leaving]

    def start(
        self, name: str, seeds: Sequence[str] | None = None, *, leaf: bool = False
    ) -> SimNode:
        """Start a node whose seeds are those that run."""
        known = [it.name for it in self.running] if seeds is None else seeds
        node = self.nodes[name] = SimNode(self, name, leaf=leaf)
        node.start(known)
        return node

    def begin(self, *names: str) -> None:
        """Start nodes at once, all knowing all, and wait until they are one ring."""
        for name in names:
            self.start(name, names)
        self.settle()

    def stop(self, name: str) -> None:
        """Have a node that has left exit."""
        node = self.nodes[name]
        node.cluster.place.depart(node.clock())
        self.run(0.01)
        self.network.crash(name)

    def crash(self, name: str) -> None:
        """Kill a node."""
        self.network.crash(name)
        self.known.lost()

    @property
    def is_settled(self) -> bool:
        """Do all nodes that should be on the ring hold the same ring, and nothing else to do?"""
        names = tuple(sorted(it.name for it in self.members if not it.cluster.leaf))
        return all(it.cluster.ring.nodes == names for it in self.running) and all(
            it.cluster.stage is Stage.MEMBER or it.cluster.leaf for it in self.members
        )

    def settle(self, within: float = 20.0) -> float:
        """Run until the ring is whole; return how long that took."""
        took = self.network.run_until(lambda: self.is_settled, within)
        assert took is not None, self.say(f"no ring after {within} s: {self.views()}")
        return took

    def quiesce(self, within: float = 20.0) -> None:
        """Run until all buckets are where they belong."""
        self.settle(within)
        done = self.network.run_until(
            lambda: all(it.cluster.sync.idle for it in self.running), within
        )
        assert done is not None, self.say("buckets are still on their way")

    def run(self, seconds: float) -> None:
        """Let time pass."""
        self.network.run(self.network.now + seconds)

    # --- checks

    def check(self, node: str, key: str, limit: str, cost: int = 1) -> None:
        """Have the app beside a node ask; what it was told is noted when it is."""
        self.asked += 1
        asked = self.network.now

        def told(answers: Answers) -> None:
            self.told += 1
            if self.network.now - asked < LATE:  # else it says what once was
                self.known.note(key, limit, answers)
            [answer] = answers.answers
            if answer[0] == 1:
                entry = (self.network.now, key, answers.node, str(answers.source))
                self.admitted.append(entry)

        frame = Checks(1, 0, int(BUDGET * 1e6), [(key, limit, cost)])
        self.nodes[node].node.decide(frame, told)

    def traffic(
        self, seconds: float, every: float, keys: Sequence[str], limit: str,
        among: Callable[[], list[SimNode]] | None = None,
    ) -> None:  # fmt: skip
        """Have apps ask about random keys for some time, from now on in the background."""
        end = self.network.now + seconds

        def ask() -> None:
            nodes = [it for it in (among or (lambda: self.members))() if not self.paused(it.name)]
            if nodes:
                self.check(self.random.choice(nodes).name, self.random.choice(list(keys)), limit)
            if self.network.now + every < end:
                self.network.plan(self.network.now + every, ask)

        self.network.plan(self.network.now + every, ask)

    def paused(self, name: str) -> bool:
        """Tell if that node stands still."""
        return self.network.is_paused(name)

    def spend(self, keys: Sequence[str], limit: str, tries: int) -> None:
        """Ask so often about each key, at nodes in turn, waiting for each answer."""
        for key in keys:
            for _ in range(tries):
                self.check(self.random.choice(self.members).name, key, limit)
                self.run(0.005)
        self.run(0.2)

    def count(self, key: str, *, decided: bool = True) -> int:
        """Count how often a key was let through, by those who decide or at all."""
        by = {"owner", "backup"} if decided else {"owner", "backup", "open"}
        return sum(it[1] == key and it[3] in by for it in self.admitted)

    def say(self, what: str) -> str:
        """Return a complaint that names the seed."""
        return f"seed {self.seed}, at {self.network.now:.3f} s: {what}"

    def views(self) -> str:
        """Return what each node takes for the ring."""
        return "; ".join(
            f"{it.name} ({it.cluster.stage}): {','.join(it.cluster.ring.nodes)}"
            for it in self.running
        )
