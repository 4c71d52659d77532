"""Scenarios of checks that are charged once, whoever is late, and of resets that last.

`make test` runs each a few times and `make simulate` often, as those of `scenarios_nodes`.
"""

from collections.abc import Callable
from functools import partial
from typing import Final

from sidegate.buckets.limits import parse_limits
from sidegate_sidecar.replication.corrections.resets import KnownReset
from tests.simulation.known import BY_TABLE
from tests.simulation.network import Faults
from tests.simulation.scenarios.bounds import SLOW, begin
from tests.simulation.world import World

ROOMY = "1000/day"  # nothing is denied, and a token comes back in 86 s
BUSY = 6.0  # seconds
REFILL = 0.1  # tokens: what comes back while a word of a few charges is on its way


def stalls(seed: int) -> None:
    """Nodes stand still for 30 to 1,000 ms, one, two or all: each admitted check is charged once.

    What was answered without a node that counts may or may not have been charged before.
    """
    world, names, keys = _busy(seed)
    start = world.network.now
    while world.network.now < start + BUSY:
        for name in world.random.sample(names, 1 + world.random.randrange(len(names))):
            if not world.paused(name):
                world.network.pause(name)
                until = world.network.now + 0.03 * 33 ** world.random.random()
                world.network.plan(until, partial(world.network.resume, name))
        world.run(world.random.random())
    _each_once(world, keys, start)


def _busy(seed: int) -> tuple[World, list[str], list[str]]:
    """Return a world in which keys are asked about from now on, its nodes, and the keys."""
    world, names, keys = begin(seed, 2, 5, keys=6)
    world.traffic(BUSY, 0.004, keys, ROOMY)
    return world, names, keys


def delays(seed: int) -> None:
    """Ways between two nodes get slow for a while, one direction or both: as `stalls`."""
    world, names, keys = _busy(seed)
    start = world.network.now
    while world.network.now < start + BUSY:
        one, other = world.random.sample(names, 2)
        slow = Faults(delay=0.2 * world.random.random(), ordered=True)
        world.network.between(one, other, slow)
        world.run(0.3 * world.random.random())
        world.network.between(one, other, Faults(ordered=True))
    _each_once(world, keys, start)


def _each_once(world: World, keys: list[str], start: float) -> None:
    """Fail unless owner and backup have charged for each key what was admitted."""
    world.run(2.0)
    world.quiesce()
    [limit] = parse_limits(ROOMY).items
    back = (world.network.now - start) * limit.tokens / limit.window
    for key in keys:
        admitted = world.count(key)
        unsure = sum(it[1] == key and it[3] not in BY_TABLE for it in world.admitted)
        for name in set(world.running[0].cluster.ring.pair(key)) - {""}:
            node = world.nodes[name]
            held = node.node.buckets.held(key, node.clock())
            debts = [debt for it, debt in held if it == limit]  # others are shares of it
            tokens = sum(debts) * 1e-9 * limit.tokens / limit.window
            assert admitted - back - REFILL <= tokens <= admitted + unsure + REFILL, world.say(
                f"{key} on {name}: {tokens:.3f} tokens of {admitted} admitted, {unsure} open"
            )


def resets(seed: int) -> None:
    """Have a node be away while keys are reset: when it is back none owes anything, anywhere.

    It stood still, was cut off with others or from one, or was started again with what it held.
    """
    world, names, keys = begin(seed, 2, 5, keys=12)
    world.spend(keys, SLOW, 10)
    away = world.random.choice(names)
    _away(world, names, away)
    for key in keys[:6]:
        here = [it for it in world.running if it.name != away and not world.paused(it.name)]
        node = next(it for name in here[0].cluster.ring.walk(key) for it in here if it.name == name)
        node.cluster.reset(key, node.node.forwarding.next_serial(), node.clock())
        world.run(world.random.choice([0.0, 0.01, 0.3]))
    world.run(world.random.choice([0.0, 0.2, 7.0]))
    _back(world, away)
    world.run(8.0)
    world.quiesce()
    for key in keys:
        owed = {it.name: it.node.buckets.held(key, it.clock()) for it in world.running}
        if key in keys[:6]:
            assert not any(owed.values()), world.say(f"{key} was reset: {owed}")
        else:
            assert any(owed.values()), world.say(f"{key} was not reset")


def _away(world: World, names: list[str], away: str) -> None:
    others = [name for name in names if name != away]
    match world.random.randrange(4):
        case 0:
            world.network.pause(away)
        case 1:
            world.crash(away)
        case 2:
            some = world.random.sample(others, world.random.randrange(len(others)))
            world.network.split([away, *some], [name for name in others if name not in some])
        case _:
            other = world.random.choice(others)
            world.network.cut(away, other)
            world.network.cut(other, away)
    world.run(world.random.choice([0.0, 0.1, 7.0]))


def _back(world: World, away: str) -> None:
    world.network.heal()
    if not world.network.is_up(away):
        before = world.nodes[away]
        again = world.start(away)
        for rows in before.node.buckets.export(before.clock()):
            for key, limit, debt in rows:
                again.node.buckets.merge(key, limit, debt, again.clock())
        for number, key, left in before.cluster.sync.resets.left(before.clock()):
            again.cluster.sync.resets.add(number, KnownReset(key, again.clock() + left))
    elif world.paused(away):
        world.network.resume(away)


SMALL: Final[tuple[Callable[[int], object], ...]] = (stalls, delays, resets)
