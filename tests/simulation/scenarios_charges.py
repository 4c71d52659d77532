"""Scenarios of single checks, each made from one seed: each is charged once, whoever is late.

`make test` runs each a few times and `make simulate` often, as those of `scenarios_nodes`.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from sidegate.limits import parse_limits
from tests.simulation.network import Faults
from tests.simulation.nodes import World
from tests.simulation.scenarios_nodes import keys_of, names_of

if TYPE_CHECKING:
    from collections.abc import Callable

ROOMY = "1000/day"  # nothing is denied, and a token comes back in 86 s
REFILL = 0.1  # tokens: what comes back while a word of a few charges is on its way
DECIDED = {"owner", "backup"}


def stalls(seed: int) -> World:
    """Nodes stand still for 30 to 1,000 ms, one, two or all: each admitted check is charged once.

    What was answered without a node that counts may or may not have been charged before.
    """
    world = World(seed)
    names = names_of(world, 2, 5)
    world.begin(*names)
    keys = keys_of(world, 6)
    start = world.network.now
    world.traffic(6.0, 0.004, keys, ROOMY)
    end = world.network.now + 6.0
    while world.network.now < end:
        for name in world.random.sample(names, 1 + world.random.randrange(len(names))):
            if not world.paused(name):
                world.network.pause(name)
                until = world.network.now + 0.03 * 33 ** world.random.random()
                world.network.plan(until, partial(world.network.resume, name))
        world.run(world.random.random())
    _each_once(world, keys, start)
    return world


def delays(seed: int) -> World:
    """Ways between two nodes get slow for a while, one direction or both: as `stalls`."""
    world = World(seed)
    names = names_of(world, 2, 5)
    world.begin(*names)
    keys = keys_of(world, 6)
    start = world.network.now
    world.traffic(6.0, 0.004, keys, ROOMY)
    end = world.network.now + 6.0
    while world.network.now < end:
        one, other = world.random.sample(names, 2)
        slow = Faults(delay=0.2 * world.random.random(), ordered=True)
        world.network.between(one, other, slow)
        world.run(0.3 * world.random.random())
        world.network.between(one, other, Faults(ordered=True))
    _each_once(world, keys, start)
    return world


def _each_once(world: World, keys: list[str], start: float) -> None:
    """Fail unless owner and backup have charged for each key what was admitted."""
    world.run(2.0)
    world.quiesce()
    [limit] = parse_limits(ROOMY).items
    back = (world.network.now - start) * limit.tokens / limit.window
    for key in keys:
        admitted = world.count(key)
        unsure = sum(it[1] == key and it[3] not in DECIDED for it in world.admitted)
        for name in set(world.running[0].cluster.ring.pair(key)) - {""}:
            node = world.nodes[name]
            debts = [debt for _, debt in node.node.buckets.held(key, node.clock())]
            tokens = sum(debts) * 1e-9 * limit.tokens / limit.window
            assert admitted - back - REFILL <= tokens <= admitted + unsure + REFILL, world.say(
                f"{key} on {name}: {tokens:.3f} tokens of {admitted} admitted, {unsure} open"
            )


SMALL: Final[tuple[Callable[[int], object], ...]] = (stalls, delays)
