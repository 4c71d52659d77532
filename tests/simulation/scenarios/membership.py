"""Scenarios of membership: many nodes on a network with a virtual clock, from one seed.

`make test` runs each a few times and `make simulate` often, by way of the same functions. Each
returns what it measured, and raises an AssertionError that names its seed.
"""

from collections.abc import Callable, Sequence
from functools import partial

from sidegate_ring.membership.membership import Life, Timing
from sidegate_ring.membership.parameters import least_suspicion
from tests.simulation.network import Faults
from tests.simulation.scenarios.agents import TICK, Cluster

MAX_MESSAGES = 60.0
"""Sent by a node in a second, on average over a storm: news alone may be 30. More is a loop."""


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
    suspected = network.run_until(lambda: doubts.state == Life.SUSPECT, 10.0)
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


def split_heals(seed: int, n: int) -> float:
    """Split n nodes in two, whose sides part in time; return how long they take to be one again."""
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
    return took


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
