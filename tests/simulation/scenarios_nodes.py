"""Scenarios of whole nodes, each made from one seed, with the bound that is promised for it.

`make test` runs each a few times and `make simulate` often, by way of the same functions. Each
raises an AssertionError that names its seed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from sidegate.buckets.limits import parse_limits
from sidegate_ring.membership.parameters import least_suspicion
from tests.simulation.network import Faults
from tests.simulation.world import World

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

SLOW = "10/hour"  # a token in six minutes: what is admitted in a run is the burst and no more
FAST = "100/second burst 20"
SYNC = 0.15  # seconds of decisions that a crash may lose: flushes, and the time to notice
WHOLE_WITHIN = 5.0  # seconds from the end of a storm to one ring
HEALED_WITHIN = 10.0
APART_WITHIN = 60.0  # seconds until a node that hears nobody takes the last one for dead
MAX_MESSAGES = 60.0  # of a node in a second, for each check that it has in a second one more
LOSSY = Faults(loss=0.05, duplication=0.05, delay=0.001, jitter=0.02)


def keys_of(world: World, count: int) -> list[str]:
    """Return keys that are others in each run."""
    return [f"k{world.seed}.{at}" for at in range(count)]


def names_of(world: World, least: int, most: int) -> list[str]:
    """Return names for some nodes."""
    return [f"n{at}" for at in range(least + world.random.randrange(most - least + 1))]


def exactly(world: World, key: str, limit: str, admitted: int) -> None:
    """Fail unless a key was admitted so often, in a run too short for a token to come back."""
    assert admitted == parse_limits(limit).smallest_burst, world.say(
        f"{key}: {admitted} of {limit}"
    )


def at_most(world: World, key: str, limit: str, seconds: float, extra: float) -> None:
    """Fail if a key was admitted more often than its limit allows in that time, and `extra`."""
    [it] = parse_limits(limit).items
    most = it.burst + seconds * it.tokens / it.window + extra
    admitted = world.count(key)
    assert admitted <= most + 1e-6, world.say(f"{key}: {admitted}, at most {most:.1f} of {limit}")


def all_answered(world: World) -> None:
    """Fail if a check wasn't answered, or one went round and round."""
    assert world.told == world.asked, world.say(f"{world.asked - world.told} got no answer")
    assert world.hops <= 2, world.say(f"{world.hops} hops")


# --- deploys


def deploy(seed: int, *, busy: bool = False) -> World:
    """All nodes are replaced, one by one; of 10 an hour 4 were spent: 6 are left, exactly.

    A new node comes before the old one goes, or after, or is the old one started again.
    """
    world = World(seed)
    names = names_of(world, 1 if busy else 2, 5)
    world.begin(*names)
    keys = keys_of(world, 8)
    world.spend(keys, SLOW, 4)
    if busy:
        world.traffic(60.0, 0.02, ["busy1", "busy2"], "1000/day")
    for at, name in enumerate(names):
        _replace(world, name, f"m{at}", alone=len(names) == 1)
        world.run(world.random.random() * 2)
    world.spend(keys, SLOW, 12)
    world.run(1.0)
    for key in keys:
        exactly(world, key, SLOW, world.count(key))
    if not busy:
        all_answered(world)
    return world


def _replace(world: World, name: str, new: str, *, alone: bool) -> None:
    how = "before" if alone else world.random.choice(["before", "after", "again"])
    if how == "before":
        world.start(new)
        world.settle()
    depart(world, name)
    if how != "before":
        if world.random.random() < 0.5:
            world.settle()
        world.start(name if how == "again" else new)
    world.settle()


def depart(world: World, *names: str) -> None:
    """Have nodes leave, at the same moment, and exit when they have."""
    for name in names:
        world.nodes[name].leave()
    for name in names:
        node = world.nodes[name]
        left = world.network.run_until(node.is_leaf, 12.0)
        assert left is not None, world.say(f"{name} did not leave")
        assert not node.cluster.place.is_overdue, world.say(f"{name} left before it was done")
        world.stop(name)


def surge(seed: int) -> World:
    """All nodes are told to leave at once while others start: nothing is lost, exactly.

    They are told in the same moment or within a fraction of a second, before the new ones have come
    or after; each of these comes in time.
    """
    world = World(seed)
    random = world.random
    old = names_of(world, 1, 5)
    world.begin(*old)
    keys = keys_of(world, 10)
    world.spend(keys, SLOW, 4)
    new = [f"m{at}" for at in range(1 + random.randrange(4))]
    came = [world.network.now + random.random() * 6 for _ in new]
    for name, at in zip(new, came, strict=True):
        world.network.plan(at, partial(_start, world, name, [*old, *new]))
    world.run(random.choice([0.0, 0.0, 0.5, 3.0]) * random.random())
    for name in old:
        world.nodes[name].leave()
        world.run(random.choice([0.0, 0.001, 0.002, 0.05]) * random.random())
    ends = partial(_end_when_left, world, old)
    world.network.run_until(ends, 12.0, every=0.01)
    still = [name for name in old if world.network.is_up(name)]
    assert not still, world.say(f"{still} did not leave: {world.views()}")
    world.network.run(max(came))
    world.settle()
    world.spend(keys, SLOW, 12)
    for key in keys:
        exactly(world, key, SLOW, world.count(key))
    return world


def _start(world: World, name: str, seeds: list[str]) -> None:
    world.start(name, seeds)


def _end_when_left(world: World, names: list[str]) -> bool:
    """Have those exit that have left; have all?"""
    up = [name for name in names if world.network.is_up(name)]
    for name in up:
        if world.nodes[name].is_leaf():
            assert not world.nodes[name].cluster.place.is_overdue, world.say(f"{name} is overdue")
            world.stop(name)
    return not up


def scale(seed: int) -> World:
    """Three nodes become six, then two, four leaving one after the other or at once: exact."""
    world = World(seed)
    world.begin("a", "b", "c")
    keys = keys_of(world, 12)
    world.spend(keys, SLOW, 3)
    at_once = world.random.random() < 0.5
    for name in ("d", "e", "f"):
        world.start(name)
        if not at_once:
            world.settle()
    world.settle()
    world.spend(keys, SLOW, 3)
    going = world.random.sample(["a", "b", "c", "d", "e", "f"], 4)
    if at_once:
        depart(world, *going)
    else:
        for name in going:
            depart(world, name)
    world.settle()
    world.spend(keys, SLOW, 8)
    for key in keys:
        exactly(world, key, SLOW, world.count(key))
    all_answered(world)
    return world


def stable(seed: int) -> World:
    """Nobody comes or goes, the network is slow: no key is admitted once too often."""
    slow = Faults(delay=0.001 + seed % 7 / 1000, jitter=0.002, ordered=True)
    world = World(seed, slow)
    world.begin(*names_of(world, 1, 6))
    keys = keys_of(world, 5)
    start = world.network.now
    world.traffic(5.0, 0.001, keys, FAST)
    world.run(6.0)
    for key in keys:
        at_most(world, key, FAST, world.network.now - start, 0)
    all_answered(world)
    return world


# --- failures


def crash(seed: int) -> World:
    """Kill an owner under load: lost is no more than it decided in the last 150 ms."""
    world = World(seed)
    names = names_of(world, 2, 5)
    world.begin(*names)
    keys = keys_of(world, 6)
    start = world.network.now
    world.traffic(8.0, 0.002, [*keys, *keys, "slow1", "slow2"], FAST)
    world.run(1.0 + world.random.random())
    victim = world.random.choice(names)
    lost = {key: decided_by(world, key, victim, SYNC) for key in keys}
    world.crash(victim)
    world.run(3.0)
    if world.random.random() < 0.7:
        world.start(victim if world.random.random() < 0.5 else "new")
    world.run(5.0)
    world.settle()
    for key in keys:
        at_most(world, key, FAST, world.network.now - start, lost[key])
    return world


def decided_by(
    world: World,
    key: str,
    node: str,
    seconds: float,
    sources: Collection[str] = ("owner", "backup"),
) -> int:
    """Count what a node has let through of a key in the last moments, as one of these sources."""
    since = world.network.now - seconds
    count = 0
    for time, what, who, how in reversed(world.admitted):
        if time < since:
            break
        count += what == key and who == node and how in sources
    return count


def stall(seed: int) -> World:
    """Stop an owner for a while: neither it nor who stood in for it counts anew.

    Only before its links are back is what its own app asks decided by what it knew: of keys that
    others own, and if it was off the ring also of its own.
    """
    world = World(seed)
    names = names_of(world, 2, 5)
    world.begin(*names)
    keys = keys_of(world, 10)
    world.spend(keys, SLOW, 3)
    world.run(0.3)
    victim = world.random.choice(names)
    seconds = world.random.choice([0.2, 0.5, 1.0, 3.0, 8.0, 15.0])
    world.network.pause(victim)
    for key in keys:
        for _ in range(4):
            others = [name for name in names if name != victim]
            world.check(world.random.choice(others), key, SLOW)
            world.run(0.003)
    world.run(seconds)
    was_off = any(it.buried for it in world.running)
    world.network.resume(victim)
    for key in keys * 3:
        world.check(victim, key, SLOW)
        world.run(0.001)
    sources = {"owner", "backup"} if was_off else {"backup"}
    stale = {key: decided_by(world, key, victim, 0.05, sources) for key in keys}
    took = world.network.run_until(lambda: world.is_settled, WHOLE_WITHIN)
    assert took is not None, world.say(f"not whole again after {seconds} s: {world.views()}")
    world.spend(keys, SLOW, 12)
    for key in keys:
        at_most(world, key, SLOW, 60.0, stale[key])
    return world


def short_pause(seed: int) -> World:
    """Nobody is declared dead for standing still shorter than a suspicion lasts."""
    world = World(seed)
    names = names_of(world, 2, 7)
    world.begin(*names)
    seconds = least_suspicion(world.timing, len(names)) * (0.2 + 0.75 * world.random.random())
    victim = world.random.choice(names)
    world.run(world.random.random())
    world.network.pause(victim)
    world.run(seconds)
    world.network.resume(victim)
    world.run(8.0)
    buried = {it.name: it.buried for it in world.running if it.buried}
    assert not buried, world.say(f"{victim} paused {seconds:.2f} s: {buried}")
    return world


def split(seed: int) -> World:
    """Two halves go on alone: at most one limit a side, one ring again soon, and no more then."""
    world = World(seed)
    names = names_of(world, 2, 6)
    world.begin(*names)
    keys = keys_of(world, 8)
    some = world.random.sample(names, 1 + world.random.randrange(len(names) - 1))
    others = [name for name in names if name not in some]
    world.network.split(some, others)
    for _ in range(12):
        for key in keys:
            world.check(world.random.choice(some), key, SLOW)
            world.check(world.random.choice(others), key, SLOW)
            world.run(0.02)
    world.run(world.random.choice([0.0, 3.0, 12.0]))
    world.network.heal()
    took = world.network.run_until(lambda: world.is_settled, HEALED_WITHIN)
    assert took is not None, world.say(f"not healed: {world.views()}")
    world.run(0.5)
    world.spend(keys, SLOW, 3)
    for key in keys:
        at_most(world, key, SLOW, 60.0, 10)
    return world


def reunion(seed: int) -> World:
    """Two halves meet again: what either has spent is spent for whoever owns it then."""
    world = World(seed)
    names = names_of(world, 2, 7)
    world.begin(*names)
    keys = keys_of(world, 12)
    some = world.random.sample(names, 1 + world.random.randrange(len(names) - 1))
    sides = some, [name for name in names if name not in some]
    world.network.split(*sides)
    rings = [tuple(sorted(side)) for side in sides]
    apart = world.network.run_until(
        lambda: all(it.cluster.ring.nodes in rings for it in world.running), APART_WITHIN
    )
    assert apart is not None, world.say(f"not apart: {world.views()}")
    for at, key in enumerate(keys):
        for _ in range(10):
            world.check(world.random.choice(sides[at % 2]), key, SLOW)
            world.run(0.002)
    world.run(1.0)
    before = {key: world.count(key) for key in keys}
    world.network.heal()
    took = world.network.run_until(lambda: world.is_settled, HEALED_WITHIN)
    assert took is not None, world.say(f"not healed: {world.views()}")
    world.run(1.0)
    world.spend(keys, SLOW, 4)
    for key in keys:
        exactly(world, key, SLOW, before[key])
        exactly(world, key, SLOW, world.count(key))
    return world


def one_way(seed: int) -> World:
    """Lose what one node says to another: checks are answered all the same."""
    world = World(seed)
    names = names_of(world, 2, 5)
    world.begin(*names)
    keys = keys_of(world, 5)
    one, other = world.random.sample(names, 2)
    world.network.cut(one, other)
    world.traffic(10.0, 0.01, keys, SLOW)
    world.run(11.0)
    world.network.heal()
    took = world.network.run_until(lambda: world.is_settled, HEALED_WITHIN)
    assert took is not None, world.say(f"not healed: {world.views()}")
    for key in keys:
        at_most(world, key, SLOW, 60.0, 10)
    all_answered(world)
    return world


def lossy(seed: int) -> World:
    """Messages are lost, doubled and overtaken, as no stream does: still one ring, and answers.

    A check that is lost is decided again by the next node, which may not know of the last ones: at
    most one limit each.
    """
    world = World(seed, LOSSY)
    names = names_of(world, 2, 5)
    world.begin(*names)
    keys = keys_of(world, 5)
    world.traffic(10.0, 0.01, keys, SLOW)
    world.run(11.0)
    world.faults = world.network.faults = Faults(ordered=True)
    took = world.network.run_until(lambda: world.is_settled, HEALED_WITHIN)
    assert took is not None, world.say(f"not whole: {world.views()}")
    for key in keys:
        at_most(world, key, SLOW, 60.0, 10 * (deciders(world, key) - 1))
    all_answered(world)
    return world


def bumpy(seed: int) -> World:
    """Packets are lost, which a stream turns into waits of up to 200 ms: budgets run out.

    Again at most one limit for each node that had to decide.
    """
    world = World(seed)
    names = names_of(world, 2, 5)
    world.begin(*names)
    keys = keys_of(world, 5)
    world.traffic(10.0, 0.01, keys, SLOW)
    end = world.network.now + 10.0
    while world.network.now < end:
        one, other = world.random.sample(names, 2)
        world.network.between(one, other, Faults(delay=0.2 * world.random.random(), ordered=True))
        world.run(0.1)
        world.network.between(one, other, Faults(ordered=True))
    world.run(1.0)
    world.settle()
    for key in keys:
        at_most(world, key, SLOW, 60.0, 10 * (deciders(world, key) - 1))
    all_answered(world)
    return world


def deciders(world: World, key: str) -> int:
    """Count the nodes that have let a key through."""
    by = {"owner", "backup"}
    return len({who for _, what, who, how in world.admitted if what == key and how in by})


# --- storms


@dataclass
class _Storm:
    world: World
    names: list[str]
    kinds: int = 6  # of what can happen: the first four leave all ways open

    def strike(self) -> None:
        """Have something happen to a random node."""
        world, random = self.world, self.world.random
        name = random.choice(self.names)
        up = world.network.is_up(name)
        if not up:
            world.start(name)
            return
        match random.randrange(self.kinds):
            case 0 | 1:
                if len(world.running) > 1:
                    world.crash(name)
            case 2:
                world.network.pause(name)
                until = world.network.now + random.random() * 6
                world.network.plan(until, partial(self._resume, name))
            case 3:
                world.nodes[name].leave(2.0)
            case 4:
                one, other = random.sample(self.names, 2)
                world.network.cut(one, other)
            case _:
                world.network.heal()

    def _resume(self, name: str) -> None:
        if self.world.network.is_up(name):
            self.world.network.resume(name)

    def end(self) -> None:
        """Have all nodes run again, without faults."""
        world = self.world
        world.network.heal()
        for name in self.names:
            if not world.network.is_up(name):
                world.start(name)
            elif world.paused(name):
                world.network.resume(name)
            elif world.nodes[name] not in world.members:
                world.crash(name)
                world.start(name)


def storm(seed: int, seconds: float = 30.0) -> float:
    """Anything happens to any node, again and again; when it ends the ring is whole soon.

    Return how long that took.
    """
    return _storm(seed, seconds, 6)


def bustle(seed: int) -> float:
    """Nodes crash, stand still, leave and come, all ways open: who answers knew all it could."""
    return _storm(seed, 30.0, 4)


def _storm(seed: int, seconds: float, kinds: int) -> float:
    world = World(seed)
    names = names_of(world, 3, 7)
    world.begin(*names)
    it = _Storm(world, names, kinds)
    world.traffic(seconds, 0.05, keys_of(world, 4), SLOW)
    sent = sum(world.network.sent.values())
    end = world.network.now + seconds
    while world.network.now < end:
        it.strike()
        world.run(0.05 + world.random.random() * 2)
    it.end()
    took = world.network.run_until(lambda: world.is_settled, HEALED_WITHIN)
    assert took is not None, world.say(f"not whole: {world.views()}")
    rate = (sum(world.network.sent.values()) - sent) / (seconds * len(names))
    assert rate < MAX_MESSAGES, world.say(f"{rate:.0f} messages a node a second")
    world.quiesce()
    return took


def kills(seed: int, seconds: float = 30.0) -> float:
    """Nodes are killed and started again at random; 5 s after the end all hold one ring."""
    world = World(seed)
    names = names_of(world, 3, 6)
    world.begin(*names)
    keys = keys_of(world, 4)
    world.traffic(seconds, 0.02, keys, SLOW)
    end = world.network.now + seconds
    while world.network.now < end:
        name = world.random.choice(names)
        if not world.network.is_up(name):
            world.start(name)
        elif len(world.running) > 1:
            world.crash(name)
        world.run(world.random.random() * 3)
    for name in names:
        if not world.network.is_up(name) and world.random.random() < 0.5:
            world.start(name)
    took = world.network.run_until(lambda: world.is_settled, WHOLE_WITHIN)
    assert took is not None, world.say(f"not whole: {world.views()}")
    return took


@dataclass(frozen=True)
class Size:
    """What a cluster of some size costs and how soon it notices a crash."""

    nodes: int
    messages: float  # that a node sends in a second while nothing happens
    noticed: list[float]  # seconds from a crash until each other node has taken it off the ring


def large(seed: int, count: int) -> Size:
    """Measure what the nodes of a large cluster say, and how they take the crash of one."""
    world = World(seed)
    names = [f"n{at}" for at in range(count)]
    form(world, names)
    world.run(2.0)
    sent = sum(world.network.sent.values())
    world.run(5.0)
    messages = (sum(world.network.sent.values()) - sent) / (5.0 * count)
    victim = world.random.choice(names)
    killed = world.network.now
    world.crash(victim)
    took = world.network.run_until(lambda: world.is_settled, 30.0)
    assert took is not None, world.say("the crash was not noticed by all")
    noticed = [when - killed for it in world.running for name, when in it.buried if name == victim]
    return Size(count, messages, sorted(noticed))


def form(world: World, names: list[str]) -> None:
    """Have many nodes be one ring without each having met each."""
    for name in names:
        world.start(name, [])
    me = [it.cluster.membership.me for it in world.running]
    rumors = [(it.name, it.address, it.incarnation, 0, 1, "", it.claim) for it in me]
    for node in world.running:
        node.know(rumors)


SMALL: Final[tuple[Callable[[int], object], ...]] = (
    deploy,
    surge,
    scale,
    stable,
    crash,
    stall,
    short_pause,
    split,
    reunion,
    one_way,
    lossy,
    bumpy,
    storm,
    bustle,
    kills,
)
"""Those on small clusters, each of which takes a tenth of a second."""
