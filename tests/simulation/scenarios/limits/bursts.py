"""Scenarios of bursts: an owner dies while that of a key is being spent."""

from collections.abc import Callable
from typing import Final

from sidegate.buckets.limits import SYNC, parse_limits
from tests.simulation.scenarios.bounds import ON_ITS_WAY, begin, decided_by
from tests.simulation.world import World

BURST = "500/day"
SMALL_BURST = "100/day"
ASKED_TWICE = 60  # checks under way when an owner dies, which its backup may charge once more


def burst(seed: int) -> World:
    """Of a burst that is being spent a kill loses what may be unsent of it, 1.6 %, and no more.

    Beside it here what was on its way: of a process that is killed the kernel still sends that.
    """
    world, key, victim = _spent(seed, BURST)
    lost = decided_by(world, key, victim, ON_ITS_WAY)
    [limit] = parse_limits(BURST).items
    _go_on(world, key, victim, BURST)
    most = limit.burst + parse_limits(BURST).max_unsent + lost
    assert limit.burst - ASKED_TWICE <= world.count(key) <= most, world.say(
        f"{key}: {world.count(key)} of {BURST}, at most {most}"
    )
    return world


def burst_confirmed(seed: int) -> World:
    """Of one that is asked by `sync` it loses nothing."""
    world, key, victim = _spent(seed, SYNC + SMALL_BURST)
    _go_on(world, key, victim, SYNC + SMALL_BURST)
    size = parse_limits(SMALL_BURST).smallest_burst
    assert size - ASKED_TWICE <= world.count(key) <= size, world.say(
        f"{key}: {world.count(key)} of {SMALL_BURST}"
    )
    return world


def _spent(seed: int, limit: str) -> tuple[World, str, str]:
    """Return a world in which a key's burst is spent in part, the key, and its owner."""
    world, names, [key] = begin(seed, 2, 5, keys=1)
    owner = world.running[0].cluster.ring.owner(key)
    others = [name for name in names if name != owner]
    at = world.random.uniform(0.05, 0.95) * parse_limits(limit).smallest_burst
    every = world.random.choice([0.0001, 0.0003, 0.001])
    while world.count(key) < at:
        world.check(world.random.choice(others), key, limit)
        world.run(every)
    return world, key, owner


def _go_on(world: World, key: str, victim: str, limit: str) -> None:
    """Kill the owner, and ask until nothing is left."""
    world.crash(victim)
    for _ in range(2 * parse_limits(limit).smallest_burst):
        world.check(world.random.choice(world.members).name, key, limit)
        world.run(0.001)
    if world.random.random() < 0.5:
        world.start(victim)
    world.settle()
    for _ in range(50):
        world.check(world.random.choice(world.members).name, key, limit)
        world.run(0.01)


SMALL: Final[tuple[Callable[[int], object], ...]] = (burst, burst_confirmed)
