"""Zones: what is spent stays spent when a zone dies, comes or goes, or a node in one does."""

from collections.abc import Callable
from typing import Final

from tests.simulation.network import Faults
from tests.simulation.scenarios.bounds import SLOW, all_answered, all_spent, keys_of, names_of
from tests.simulation.scenarios.copies import ask_all
from tests.simulation.world import TCP, World

TRIES = 6  # of the ten tokens of SLOW
AFTER = 0.3  # seconds after which what was decided is known elsewhere


def zoned(seed: int, least: int, most: int, faults: Faults = TCP) -> tuple[World, list[str]]:
    """Return a ring of some nodes in two zones or three, and keys of which much is spent."""
    world = World(seed, faults)
    world.zones = 2 + seed % 2
    names = names_of(world, least, most)
    world.begin(*names)
    keys = keys_of(world, 8)
    apart(world, keys)
    world.spend(keys, SLOW, TRIES)
    world.run(AFTER)
    return world, keys


def apart(world: World, keys: list[str]) -> None:
    """Fail unless all nodes agree that backups are in other zones than owners."""
    for node in world.running:
        for key in keys:
            owner, backup = node.cluster.ring.pair(key)
            assert world.zone_of(owner) != world.zone_of(backup), world.say(f"{key} is in one zone")


def zone_lost(seed: int) -> None:
    """Kill all nodes of a zone at the same time: the other ones have all that they decided."""
    world, keys = zoned(seed, 4, 8)
    zone = world.zone_of(world.random.choice(world.running).name)
    for node in [it for it in world.running if world.zone_of(it.name) == zone]:
        world.crash(node.name)
    world.run(world.random.choice([0.0, 0.05, 1.0]))
    world.spend(keys, SLOW, 2)
    world.run(5.0)
    _ends_well(world, keys)


def zone_node_lost(seed: int) -> None:
    """Kill one node: who owns its keys now isn't their backup, and is told by that one."""
    world, keys = zoned(seed, 4, 6)
    world.spend(keys, SLOW, 6)
    world.run(AFTER)
    world.crash(world.random.choice(world.running).name)
    world.run(2.0)
    left = [it.name for it in world.running]
    while any(len(it.cluster.ring.nodes) > len(left) for it in world.running):
        ask_all(world, left, keys, 0.001)
    for _ in range(20):
        ask_all(world, left, keys, 0.001)
    _ends_well(world, keys)
    if len({world.zone_of(it.name) for it in world.running}) > 1:
        apart(world, keys)


def zone_comes(seed: int) -> None:
    """Start the nodes of a second zone, then have those of one of the two leave."""
    world = World(seed)
    world.zones = 2
    first, second = ["n0", "n2", "n4"], ["n1", "n3"]
    world.begin(*first)
    keys = keys_of(world, 8)
    world.spend(keys, SLOW, 3)
    for name in second:
        world.start(name)
        world.run(world.random.random())
        world.spend(keys, SLOW, 1)
    world.quiesce()
    apart(world, keys)
    for name in world.random.choice([first, second]):
        world.nodes[name].leave()
        world.spend(keys, SLOW, 1)
        left = world.network.run_until(world.nodes[name].is_leaf, 15.0)
        assert left is not None, world.say(f"{name} did not leave")
        world.stop(name)
    _ends_well(world, keys)


def _ends_well(world: World, keys: list[str]) -> None:
    world.settle()
    world.spend(keys, SLOW, 12)
    all_spent(world, keys)
    all_answered(world)


ZONES: Final[tuple[Callable[[int], object], ...]] = (zone_lost, zone_node_lost, zone_comes)
"""Each takes a tenth of a second."""
