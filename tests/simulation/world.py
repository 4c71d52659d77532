"""A whole cluster on a simulated network: its nodes, the apps that ask, and what they were told."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sidegate.buckets.decision import Source
from sidegate.protocol.messages import Answers, Checks
from sidegate.protocol.standing_messages import OnSplit
from sidegate_ring.hashring import Ring
from sidegate_ring.membership.membership import Timing
from sidegate_ring.places import seeded
from sidegate_sidecar.cluster.cluster import Stage
from sidegate_sidecar.cluster.place.stages import FLUSHING
from sidegate_sidecar.reports.series import Column
from tests.simulation.known import BY_TABLE, Known
from tests.simulation.links import BUDGET
from tests.simulation.network import Faults, Network
from tests.simulation.nodes import SimNode

POINTS = 16  # of a node on the ring: building one of 500 nodes takes 512 thirty times as long
EMPTY = Ring(points=POINTS, key_hash=seeded(b"of each simulated ring"))
LATE = 2 * BUDGET  # seconds after which an answer comes from before a standstill
TCP = Faults(ordered=True)


class Counted(NamedTuple):
    """Checks that were answered, those that nodes have counted, and how many that may be at most.

    A check is decided by one node, and by one more for each that didn't answer in time.
    """

    told: int
    decided: int
    most: int
    told_allowed: int
    allowed: int

    @property
    def is_right(self) -> bool:
        """Is each check counted that was answered, and none that nobody can have decided?"""
        return self.told <= self.decided <= self.most and self.told_allowed <= self.allowed


@dataclass
class World:
    """All nodes, and what apps were told. `seed` makes it."""

    seed: int
    faults: Faults = TCP
    timing: Timing = field(default_factory=Timing)
    on_split: OnSplit = OnSplit.OPTIMISTIC
    on_unreachable: str = "open"
    nodes: dict[str, SimNode] = field(default_factory=dict[str, SimNode])
    ever: list[SimNode] = field(default_factory=list[SimNode])  # those that have ended as well
    hops: int = 0
    admitted: list[tuple[float, str, str, str]] = field(
        default_factory=list[tuple[float, str, str, str]]
    )
    """(time, key, node that decided, source) of each check that was allowed."""
    spent: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    """Tokens, by key and limits that were asked about."""
    asked: int = 0
    told: int = 0
    _last_slot: int = 0
    zones: int = 0
    """How many zones nodes are in, by turns in the order of their names; 0: they don't say."""
    _rings: dict[tuple[tuple[str, ...], tuple[str, ...]], Ring] = field(
        default_factory=dict[tuple[tuple[str, ...], tuple[str, ...]], Ring]
    )

    def __post_init__(self) -> None:
        self.network = Network(self.seed, self.faults)
        self.random = self.network.random
        self.known = Known(self)

    def ring_of(self, like: Ring, names: tuple[str, ...], zones: Mapping[str, str]) -> Ring:
        """Return the one ring of these nodes: all nodes share it, since it never changes."""
        known = names, tuple(zones.get(name, "") for name in names)
        ring = self._rings.get(known)
        if ring is None:
            like = like if like.nodes else EMPTY  # whose points it has, if it has any
            ring = self._rings[known] = like.of_nodes(names).zoned(zones)
        return ring

    def next_slot(self) -> int:
        """Return the id of a slot that nobody else has."""
        self._last_slot += 1
        return self._last_slot

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
        node = self.nodes[name] = SimNode(self, name, leaf=leaf, zone=self.zone_of(name))
        self.ever.append(node)
        node.start(known)
        return node

    def zone_of(self, name: str) -> str:
        """Return in which zone a node of that name is: always the same."""
        return f"z{sum(name.encode()) % self.zones}" if self.zones else ""

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
        counted = self.counted()
        assert counted.is_right, self.say(f"not all is counted, or more: {counted}")
        return took

    def counted(self) -> "Counted":
        """Return what all nodes have counted for reports, and what there was to count."""
        totals: Counter[Column] = Counter()
        unanswered = 0
        for node in self.ever:
            unanswered += node.node.counts.unanswered.total()
            counting = node.node.counting
            assert counting is not None
            for _ in counting.settle():
                pass
            for rule in counting.activity.by_rule.values():
                for (_, column), count in rule.totals.items():
                    totals[column] += count
        decided = totals[Column.ALLOWED] + totals[Column.DENIED] + totals[Column.ERRORS]
        told = sum(it[3] != Source.LEASE for it in self.admitted)  # the others nodes didn't see
        return Counted(self.told, decided, self.asked + unanswered, told, totals[Column.ALLOWED])

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

    def check(
        self, node: str, key: str, limit: str, cost: int = 1,
        heard: Callable[[Answers], None] | None = None,
    ) -> None:  # fmt: skip
        """Have the app beside a node ask; what it was told is noted when it is, and `heard`."""
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
                self.spent[key, limit] += cost
            if heard is not None:
                heard(answers)

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

    def count(self, key: str) -> int:
        """Count how often a key was let through by those who decide."""
        return sum(it[1] == key and it[3] in BY_TABLE for it in self.admitted)

    def say(self, what: str) -> str:
        """Return a complaint that names the seed."""
        return f"seed {self.seed}, at {self.network.now:.3f} s: {what}"

    def views(self) -> str:
        """Return what each node takes for the ring."""
        return "; ".join(
            f"{it.name} ({it.cluster.stage}): {','.join(it.cluster.ring.nodes)}"
            for it in self.running
        )
