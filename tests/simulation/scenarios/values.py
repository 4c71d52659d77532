"""Scenarios of caches: nodes come, go, die and stand still while apps ask for values.

At each tick of each node its bytes are within the bound and no lease is too old. In the end nobody
waits, nothing is held, and no value was given long after its time.
"""

from typing import Final

from sidegate.buckets.limits import SECOND
from sidegate_sidecar.cache.fills import MAX_LEASE
from tests.simulation.caching import TTL
from tests.simulation.network import Faults
from tests.simulation.scenarios.bounds import begin, trouble
from tests.simulation.scenarios.deploys import depart
from tests.simulation.world import TCP, World

KEYS = 12
EVERY = 0.02  # seconds between two questions
QUIET = 10.0  # seconds after which nobody waits: two leases, and what nodes need to be found out
SLACK = 10.0  # seconds: what fills take, and handovers, in which time stands still for a value


def _asks(world: World, seconds: float) -> None:
    """Have apps ask for values and delete some, for so many seconds."""
    end = world.network.now + seconds

    def ask() -> None:
        nodes = [it for it in world.members if not world.paused(it.name)]
        if nodes:
            node, key = world.random.choice(nodes), f"k{world.random.randrange(KEYS)}"
            if world.random.random() < 0.05:
                node.values.delete(key)
            else:
                node.values.get_or_set(key)
        if world.network.now + EVERY < end:
            world.network.plan(world.network.now + EVERY, ask)

    world.network.plan(world.network.now + EVERY, ask)


def _all_is_well(world: World) -> None:
    """Fail unless all have their answers, nothing is held, and no value was too old."""
    world.run(QUIET)
    for node in world.running:
        waiting = node.values.open
        assert not waiting, world.say(f"{waiting} apps of {node.name} wait")
    world.run(MAX_LEASE / SECOND)
    for node in world.running:
        cache = node.values.cache
        held = len(cache.owner.fills), len(cache.lookups), cache.lookups.held, len(cache.changes)
        assert held == (0, 0, 0, 0), world.say(f"{node.name} holds {held}")
        assert cache.handover.is_over, world.say(f"{node.name} still hands over")
    most = 2 * TTL * 1e-6 + SLACK
    for node in world.nodes.values():
        for made, given in node.values.given:
            assert given - made < most, world.say(f"a value of {made} was given at {given}")


def values(seed: int, faults: Faults = TCP) -> None:
    """Nothing goes wrong: values are given far more often than they are loaded."""
    world, _, _ = begin(seed, 1, 5, faults)
    _asks(world, 20.0)
    world.run(20.0)
    loads = sum(node.values.loads for node in world.nodes.values())
    given = sum(len(node.values.given) for node in world.nodes.values())
    assert given > 2 * loads, world.say(f"{given} values given, {loads} loaded")
    _all_is_well(world)


def values_move(seed: int) -> None:
    """Nodes join and leave meanwhile, and what they hold goes with the ring."""
    world, names, _ = begin(seed, 2, 4)
    _asks(world, 20.0)
    world.run(2.0)
    world.start("new")
    world.settle()
    world.run(world.random.random() * 3)
    depart(world, world.random.choice(names))
    world.settle()
    world.run(20.0)
    _all_is_well(world)


def values_lost(seed: int) -> None:
    """Nodes are killed, stand still, and are split off: who waits hears that in time."""
    world, names, _ = begin(seed, 3, 5)
    _asks(world, 30.0)
    world.run(2.0)
    trouble(world, names)
    world.run(20.0)
    world.settle(60.0)
    _all_is_well(world)


SMALL: Final = (values, values_move, values_lost)
