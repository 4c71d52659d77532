"""Nodes that do nothing but know the others, on a network with a virtual clock."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b

from sidegate_ring.membership.membership import (
    Effects,
    Life,
    Member,
    Membership,
    SwimKind,
    SwimMessage,
    Timing,
)
from tests.simulation.network import Faults, Network

TICK = 0.05
"""Seconds between two ticks of a node."""

STOOD_STILL = 0.25
"""Seconds without anything happening after which a node knows that it was stopped."""

REDIAL = 0.5
"""Seconds between two tries to connect with those that a node has no connection with."""


class Agent:
    """A node that does nothing but know the others: what a sidecar does around a Membership."""

    def __init__(
        self, cluster: "Cluster", host: str, *, name: str = "", owner: bool = True
    ) -> None:
        self.network = cluster.network
        self.name = host  # of the host, which is its own unless `name` says another
        self.seeds: Sequence[str] = ()
        self.buried: dict[str, float] = {}  # when each was declared dead, if it still is
        self.burials: list[tuple[str, float]] = []  # all there ever were, also those undone since
        self.heard: float = self.network.now
        self.kinds: dict[int, int] = {}  # messages sent, by kind
        self.membership = Membership(
            name or host,
            f"{host}:4222",
            incarnation=cluster.incarnation(),
            randrange=self.network.random.randrange,
            timing=cluster.timing,
            now=self.network.now,
            owner=owner,
        )
        self._dial_at = self.network.now

    def start(self) -> None:
        """Start on the network, or again after a crash."""
        self.network.start(self.name, self)
        first = self.network.random.random() * TICK
        self.network.at(self.network.now + first, self.name, self._tick)

    def receive(self, sender: str, message: SwimMessage) -> None:
        self._look_at_the_clock()
        self.act(self.membership.step(sender, message, self.network.now))

    def on_connected(self, name: str) -> None:
        self._look_at_the_clock()
        self.act(self.membership.on_connected(name, self.network.now))

    def on_disconnected(self, name: str) -> None:
        self._look_at_the_clock()
        self.act(self.membership.on_disconnected(name, self.network.now))

    def _tick(self) -> None:
        self._look_at_the_clock()
        now = self.network.now
        self.network.at(now + TICK, self.name, self._tick)
        self.act(self.membership.tick(now))
        if now >= self._dial_at:
            self._dial_at = now + REDIAL
            self._dial()

    def _look_at_the_clock(self) -> None:
        gap = self.network.now - self.heard
        self.heard = self.network.now
        if gap > STOOD_STILL:
            self.membership.on_resume(gap, self.network.now)

    def _dial(self) -> None:
        """Connect with the living, the dead (it may have been a split), and the seeds.

        With those also when it isn't alone: they may know nobody, and wait to be asked.
        """
        it = self.membership
        known = [member.name for member in [*it.living(), *it.dead()]]
        for name in dict.fromkeys([*known, *self.seeds]):
            if name != self.name and not self.network.connected(self.name, name):
                self.network.dial(self.name, name)
            elif name not in it.members:  # what it was told at first was lost
                self.act(it.on_connected(name, self.network.now))

    def act(self, outcome: Effects) -> None:
        """Do what the state machine says."""
        for to, gossip in outcome.sends:
            self.kinds[gossip.kind] = self.kinds.get(gossip.kind, 0) + 1
            self.network.send(self.name, to, gossip)
        if outcome.changed:
            for member in outcome.changed:
                self._note(member)
            self.membership.digest = digest_of(self.membership.owners())

    def _note(self, member: Member) -> None:
        if member.state == Life.DEAD:
            self.burials.append((member.name, self.network.now))
            self.buried.setdefault(member.name, self.network.now)
        else:
            self.buried.pop(member.name, None)
            if member.living and member.name != self.name:
                self.network.dial(self.name, member.name)


def digest_of(owners: Sequence[str]) -> str:
    """Return what stands for a ring: here only its names count."""
    return blake2b("\n".join(owners).encode(), digest_size=8).hexdigest() if owners else ""


@dataclass
class Cluster:
    """Nodes on a network. `agents` are those that run, or would if they weren't paused."""

    seed: int
    faults: Faults = field(default_factory=Faults)
    timing: Timing = field(default_factory=Timing)
    traced: bool = False
    agents: dict[str, Agent] = field(default_factory=dict[str, Agent])

    def __post_init__(self) -> None:
        self.network = Network(self.seed, self.faults, traced=self.traced)

    def incarnation(self) -> int:
        """Return what a node that starts now takes: the seconds of a clock on the wall."""
        return 1_800_000_000 + int(self.network.now)

    def start(self, name: str, seeds: Sequence[str] = (), *, owner: bool = True) -> Agent:
        """Start a node that knows nothing but where its seeds are."""
        agent = self.agents[name] = Agent(self, name, owner=owner)
        agent.seeds = seeds
        agent.start()
        return agent

    def star(self, n: int) -> list[str]:
        """Start n nodes that all have the first as their seed, and return their names."""
        names = [f"n{i}" for i in range(n)]
        for name in names:
            self.start(name, names[:1])
        return names

    def settled(self, n: int) -> list[str]:
        """Start n nodes that know each other already, and return their names."""
        names = [f"n{i}" for i in range(n)]
        for name in names:
            self.start(name)
        rumors = [agent.membership.me.rumor for agent in self.agents.values()]
        for at, name in enumerate(names):
            for other in names[:at]:
                self.network.link(name, other)
            knows = self.agents[name].membership
            knows.step("", SwimMessage(SwimKind.FULL_STATE, 0, "", "", rumors), self.network.now)
            knows.digest = digest_of(names)
            for other in names:
                knows._outgoing.forget(other)  # everyone knows: it isn't news
        return names

    def crash(self, name: str) -> None:
        """End a node as kill -9 does."""
        self.network.crash(name)
        del self.agents[name]

    def leave(self, name: str) -> None:
        """Have a node say that it leaves, and end soon after."""
        agent = self.agents[name]
        agent.act(agent.membership.announce(self.network.now, left=True))
        self.network.plan(self.network.now + 1.0, partial(self.crash, name))

    def agree_on(self, names: Collection[str], among: Collection[str] | None = None) -> bool:
        """Tell whether all nodes, or those in `among`, have exactly these on their ring."""
        ring = tuple(sorted(names))
        asked = self.agents if among is None else among
        return all(self.agents[name].membership.owners() == ring for name in asked)

    def settle(self, within: float) -> float:
        """Run until all nodes have all nodes on their ring, and return how long that took."""
        took = self.network.run_until(lambda: self.agree_on(self.agents), within)
        assert took is not None, f"seed {self.seed}: no agreement in {within} s: {self.views()}"
        return took

    def views(self) -> dict[tuple[str, ...], list[str]]:
        """Return the rings that there are, and who has them: for the text of a failure."""
        views: dict[tuple[str, ...], list[str]] = {}
        for name, agent in self.agents.items():
            views.setdefault(agent.membership.owners(), []).append(name)
        return views

    def burials(self) -> list[tuple[str, str]]:
        """Return who held whom dead at any time, right or wrong, of those that run."""
        return [(name, it) for name, agent in self.agents.items() for it, _ in agent.burials]
