"""Scenarios of outages: crashes, standstills, splits and bad networks, each with its bound.

`make test` runs each a few times and `make simulate` often, by way of the same functions. Each
raises an AssertionError that names its seed.
"""

from sidegate_ring.membership.parameters import least_suspicion
from tests.simulation.known import BY_TABLE
from tests.simulation.network import Faults
from tests.simulation.scenarios.bounds import (
    APART_WITHIN,
    FAST,
    HEALED_WITHIN,
    LOSSY,
    ON_ITS_WAY,
    SLOW,
    WHOLE_WITHIN,
    all_answered,
    at_most,
    begin,
    decided_by,
    deciders,
    exactly,
)
from tests.simulation.world import World


def crash(seed: int) -> World:
    """Kill an owner under load: of bursts so small lost is no more than what was on its way.

    Of a process that is killed the kernel still sends that.
    """
    world, names, keys = begin(seed, 2, 5, keys=6)
    start = world.network.now
    world.traffic(8.0, 0.002, [*keys, *keys, "slow1", "slow2"], FAST)
    world.run(1.0 + world.random.random())
    victim = world.random.choice(names)
    lost = {key: decided_by(world, key, victim, ON_ITS_WAY) for key in keys}
    world.crash(victim)
    world.run(3.0)
    if world.random.random() < 0.7:
        world.start(victim if world.random.random() < 0.5 else "new")
    world.run(5.0)
    world.settle()
    for key in keys:
        at_most(world, key, FAST, world.network.now - start, lost[key])
    return world


def stall(seed: int) -> None:
    """Stop an owner for a while: neither it nor who stood in for it counts anew.

    Only before its links are back is what its own app asks decided by what it knew: of keys that
    others own, and if it was off the ring also of its own.
    """
    world, names, keys = begin(seed, 2, 5, keys=10)
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
    sources = BY_TABLE if was_off else {"backup"}
    stale = {key: decided_by(world, key, victim, 0.05, sources) for key in keys}
    world.settle(WHOLE_WITHIN)
    world.spend(keys, SLOW, 12)
    for key in keys:
        at_most(world, key, SLOW, 60.0, stale[key])


def short_pause(seed: int) -> None:
    """Nobody is declared dead for standing still shorter than a suspicion lasts."""
    world, names, _ = begin(seed, 2, 7)
    seconds = least_suspicion(world.timing, len(names)) * (0.2 + 0.75 * world.random.random())
    victim = world.random.choice(names)
    world.run(world.random.random())
    world.network.pause(victim)
    world.run(seconds)
    world.network.resume(victim)
    world.run(8.0)
    buried = {it.name: it.buried for it in world.running if it.buried}
    assert not buried, world.say(f"{victim} paused {seconds:.2f} s: {buried}")


def split(seed: int) -> None:
    """Two halves go on alone: at most one limit a side, one ring again soon, and no more then."""
    world, names, keys = begin(seed, 2, 6, keys=8)
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
    world.settle(HEALED_WITHIN)
    world.run(0.5)
    world.spend(keys, SLOW, 3)
    for key in keys:
        at_most(world, key, SLOW, 60.0, 10)


def reunion(seed: int) -> None:
    """Two halves meet again: what either has spent is spent for whoever owns it then."""
    world, names, keys = begin(seed, 2, 7, keys=12)
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
    world.settle(HEALED_WITHIN)
    world.run(1.0)
    world.spend(keys, SLOW, 4)
    for key in keys:
        exactly(world, key, SLOW, before[key])
        exactly(world, key, SLOW, world.count(key))


def one_way(seed: int) -> None:
    """Lose what one node says to another: checks are answered all the same."""
    world, names, keys = begin(seed, 2, 5, keys=5)
    one, other = world.random.sample(names, 2)
    world.network.cut(one, other)
    world.traffic(10.0, 0.01, keys, SLOW)
    world.run(11.0)
    world.network.heal()
    world.settle(HEALED_WITHIN)
    for key in keys:
        at_most(world, key, SLOW, 60.0, 10)
    all_answered(world)


def lossy(seed: int) -> None:
    """Messages are lost, doubled and overtaken, as no stream does: still one ring, and answers.

    A check that is lost is decided again by the next node, which may not know of the last ones: at
    most one limit each.
    """
    world, _, keys = begin(seed, 2, 5, LOSSY, keys=5)
    world.traffic(10.0, 0.01, keys, SLOW)
    world.run(11.0)
    world.faults = world.network.faults = Faults(ordered=True)
    world.settle(HEALED_WITHIN)
    for key in keys:
        at_most(world, key, SLOW, 60.0, 10 * (deciders(world, key) - 1))
    all_answered(world)


def bumpy(seed: int) -> None:
    """Packets are lost, which a stream turns into waits of up to 200 ms: budgets run out.

    Again at most one limit for each node that had to decide.
    """
    world, names, keys = begin(seed, 2, 5, keys=5)
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
