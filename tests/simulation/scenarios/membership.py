"""Scenarios of membership: many nodes on a network with a virtual clock, from one seed.

`make test` runs each a few times and `make simulate` often, by way of the same functions. Each
returns what it measured, and raises an AssertionError that names its seed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from typing import TYPE_CHECKING

from sidegate_ring.membership.membership import (
    Gossip,
    Kind,
    Member,
    Membership,
    Outcome,
    State,
    Timing,
)
from sidegate_ring.membership.parameters import least_suspicion
from tests.simulation.network import Faults, Network

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

TICK = 0.05
"""Seconds between two ticks of a node."""

STOOD_STILL = 0.25
"""Seconds without anything happening after which a node knows that it was stopped."""

MAX_MESSAGES = 60.0
"""Sent by a node in a second, on average over a storm: news alone may be 30. More is a loop."""

REDIAL = 0.5
"""Seconds between two tries to connect with those that a node has no connection with."""


class Agent:
    """A node that does nothing but know the others: what a sidecar does around a Membership."""

    def __init__(self, cluster: Cluster, name: str, *, owner: bool = True) -> None:
        self.network = cluster.network
        self.name = name
        self.seeds: Sequence[str] = ()
        self.buried: dict[str, float] = {}  # when each was declared dead, if it still is
        self.burials: list[tuple[str, float]] = []  # all there ever were, also those undone since
        self.heard: float = self.network.now
        self.kinds: dict[int, int] = {}  # messages sent, by kind
        self.membership = Membership(
            name,
            f"{name}:4222",
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

    def receive(self, sender: str, message: Gossip) -> None:
        self._look_at_the_clock()
        self.act(self.membership.step(sender, message, self.network.now))

    def met(self, name: str) -> None:
        self._look_at_the_clock()
        self.act(self.membership.met(name, self.network.now))

    def lost(self, name: str) -> None:
        self._look_at_the_clock()
        self.act(self.membership.lost(name, self.network.now))

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
            self.membership.woke(gap, self.network.now)

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
                self.act(it.met(name, self.network.now))

    def act(self, outcome: Outcome) -> None:
        """Do what the state machine says."""
        for to, gossip in outcome.sends:
            self.kinds[gossip.kind] = self.kinds.get(gossip.kind, 0) + 1
            self.network.send(self.name, to, gossip)
        if outcome.changed:
            for member in outcome.changed:
                self._note(member)
            self.membership.digest = digest_of(self.membership.owners())

    def _note(self, member: Member) -> None:
        if member.state == State.DEAD:
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
            knows.step("", Gossip(Kind.ALL, 0, "", "", rumors), self.network.now)
            knows.digest = digest_of(names)
            for other in names:
                knows._voice.forget(other)  # everyone knows: it isn't news
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


def percentile(values: Sequence[float], part: float) -> float:
    """Return the value that this part of all are not above."""
    ranked = sorted(values)
    return ranked[min(int(part * len(ranked)), len(ranked) - 1)]


def star_converges(seed: int, n: int, faults: Faults | None = None, within: float = 10.0) -> float:
    """Return how long n nodes take that start at once and know one of them."""
    cluster = Cluster(seed, faults or Faults())
    cluster.star(n)
    return cluster.settle(within)


def crash_takes(seed: int, n: int, *, hangs: bool = False) -> list[float]:
    """Return how long each survivor takes to declare a node dead that crashes, or just hangs."""
    cluster = Cluster(seed)
    names = cluster.settled(n)
    cluster.network.run(2.0 + cluster.network.random.random())
    victim = cluster.network.random.choice(names)
    start = cluster.network.now
    if hangs:
        cluster.network.pause(victim)
        survivors = [name for name in names if name != victim]
    else:
        cluster.crash(victim)
        survivors = list(cluster.agents)
    most = longest_detection(cluster.timing, n, hangs=hangs)
    cluster.network.run_until(
        lambda: all(victim in cluster.agents[name].buried for name in survivors), most + 1.0
    )
    missing = [name for name in survivors if victim not in cluster.agents[name].buried]
    assert not missing, f"seed {seed}: {victim} is alive for {missing} after {most} s"
    times = [cluster.agents[name].buried[victim] - start for name in survivors]
    assert max(times) <= most, f"seed {seed}: {victim} was dead after {max(times)} s, not {most}"
    wrong = [(name, dead) for name in survivors for dead in cluster.agents[name].buried]
    assert {dead for _, dead in wrong} == {victim}, f"seed {seed}: {wrong}"
    return times


def longest_detection(timing: Timing, n: int, *, hangs: bool) -> float:
    """Return after how many seconds a node that crashed, or hangs, is dead for everyone.

    The probe that fails, the suspicion as long as it may last, and the way of the rumor. For a
    node that hangs, first comes its turn to be probed: with two rounds of one prober, surely.
    """
    ticks = 3 * TICK
    turn = 2 * (n - 1) * timing.probe_every if hangs else 0.0
    spread = 10 * timing.news_every
    lasts = least_suspicion(timing, n) * (timing.suspicion_most if n > 2 else 1)
    return turn + timing.probe_every + lasts + spread + ticks


def pause_is_forgiven(seed: int, n: int, seconds: float) -> None:
    """Check that a node that stops for that long is dead for nobody, nor anybody for it."""
    cluster = Cluster(seed)
    names = cluster.settled(n)
    network = cluster.network
    network.run(2.0 + network.random.random())
    victim = network.random.choice(names)
    network.pause(victim)
    network.run(network.now + seconds)
    network.resume(victim)
    network.run(network.now + 5.0)
    buried = cluster.burials()
    assert not buried, f"seed {seed}: {victim} stopped for {seconds} s: {buried}"
    cluster.settle(1.0)


def pause_blames_nobody(seed: int, n: int, seconds: float) -> float:
    """Stop a node for so long that it is dead for all; return how long it takes to be back.

    It must not take the others for dead, though it has heard of none for that long; not even the
    one that it was suspecting when it stopped, and that has been well since.
    """
    cluster = Cluster(seed)
    names = cluster.settled(n)
    network = cluster.network
    network.run(2.0 + network.random.random())
    victim, other = network.random.sample(names, 2)
    network.pause(other)
    doubts = cluster.agents[victim].membership.members[other]
    suspected = network.run_until(lambda: doubts.state == State.SUSPECT, 10.0)
    assert suspected is not None, f"seed {seed}: {victim} doesn't suspect {other}"
    network.pause(victim)
    network.run(network.now + 2 * TICK)  # a tick waits for it, before the word that all is well
    network.resume(other)
    network.run(network.now + seconds)
    network.resume(victim)
    took = network.run_until(lambda: cluster.agree_on(names), 10.0)
    blamed = cluster.agents[victim].burials
    assert not blamed, f"seed {seed}: {victim} stopped for {seconds} s, and buries {blamed}"
    assert took is not None, f"seed {seed}: {victim} isn't back: {cluster.views()}"
    return took


def split_heals(seed: int, n: int) -> tuple[float, float]:
    """Split n nodes in two; return how long the sides take to part, and to be one ring again."""
    cluster = Cluster(seed)
    names = cluster.star(n)
    cluster.settle(10.0)
    network = cluster.network
    at = network.random.randrange(1, n)
    one, other = names[:at], names[at:]
    network.split(one, other)
    parted = network.run_until(
        lambda: cluster.agree_on(one, one) and cluster.agree_on(other, other),
        longest_parting(cluster.timing, n),
    )
    assert parted is not None, f"seed {seed}: {one} from {other}: {cluster.views()}"
    network.heal()
    took = cluster.settle(10.0)
    network.run(network.now + 10.0)
    assert cluster.agree_on(names), f"seed {seed}: not for long: {cluster.views()}"
    return parted, took


def longest_parting(timing: Timing, n: int) -> float:
    """Return after how many seconds each side of a split has seen that the other is gone.

    One that is left alone has to find out by itself about each of the others, and since it can't
    know that it isn't the one that is ill, it takes its time.
    """
    probing = n * timing.probe_every * (1 + timing.health)
    return probing + least_suspicion(timing, n) * timing.suspicion_most + 1.0


def false_deaths(seed: int, n: int, loss: float, seconds: float) -> int:
    """Return how often a node that runs was declared dead by another, while messages get lost."""
    cluster = Cluster(seed, Faults(loss=loss))
    cluster.settled(n)
    cluster.network.run(seconds)
    cluster.network.faults = Faults()
    cluster.settle(10.0)
    return len(cluster.burials())


def leaver_stays_away(seed: int, n: int, faults: Faults | None = None) -> None:
    """Check that who has left comes back by no rumor, though it runs on for a while."""
    cluster = Cluster(seed, faults or Faults())
    names = cluster.settled(n)
    network = cluster.network
    network.run(2.0 + network.random.random())
    leaver, stranger = names[0], names[1]
    network.pause(stranger)  # it hears of it late, and meanwhile holds that the leaver is there
    cluster.leave(leaver)
    network.run(network.now + 1.5)
    network.resume(stranger)
    cluster.settle(5.0)
    back: list[str] = []

    def look() -> bool:
        back.extend(name for name, it in cluster.agents.items() if leaver in it.membership.owners())
        return bool(back)

    network.run_until(look, 40.0)  # with an exchange of everything in it
    assert not back, f"seed {seed}: {leaver} had left, and is back for {back}"


def restart_is_welcome(seed: int, n: int, after: float) -> float:
    """Return how long a node that crashed, and starts again `after` seconds, takes to be back."""
    cluster = Cluster(seed)
    names = cluster.settled(n)
    cluster.network.run(3.0)
    cluster.crash(names[0])
    cluster.network.run(3.0 + after)
    cluster.start(names[0], names[1:2])
    return cluster.settle(5.0)


def storm_ends(seed: int, n: int, seconds: float) -> float:
    """Crash, restart, pause, cut and split at random; return how long all take to agree after."""
    cluster = Cluster(seed, Faults(jitter=0.02, loss=0.05, duplication=0.05))
    names = cluster.star(n)
    network = cluster.network
    end = network.now + seconds
    while network.now < end:
        _strike(cluster, names)
        network.run(network.now + network.random.random() * 1.5)
    network.heal()
    network.faults = Faults()
    for name in names:
        if network.is_up(name):
            network.resume(name)
        else:
            cluster.start(name, names)
    rate = network.sent.total() / n / network.now
    assert rate < MAX_MESSAGES, f"seed {seed}: {rate:.0f} messages a node a second"
    return cluster.settle(15.0)


def _strike(cluster: Cluster, names: Sequence[str]) -> None:
    """Do one bad thing, or undo one."""
    network = cluster.network
    name, other = network.random.sample(names, 2)
    if not network.is_up(name):
        cluster.start(name, names)
        return
    blows: list[Callable[[], None]] = [
        partial(cluster.crash, name),
        partial(network.pause, name),
        partial(network.resume, name),
        partial(network.cut, name, other),
        partial(network.split, [it for it in names if network.random.random() < 1 / 2]),
        network.heal,
        network.heal,
    ]
    network.random.choice(blows)()


def messages_a_second(seed: int, n: int, seconds: float) -> float:
    """Return how many messages each of n nodes sends a second while nothing happens."""
    cluster = Cluster(seed)
    cluster.settled(n)
    network = cluster.network
    network.run(1.0)
    before = network.sent.total()
    network.run(1.0 + seconds)
    assert not cluster.burials(), f"seed {seed}: {cluster.burials()}"
    return (network.sent.total() - before) / n / seconds
