"""Scenarios of slots: nodes come, go, die and stand still while apps hold some and wait for others.

In the end nobody waits and nothing is held: none was leaked.
"""

from collections.abc import Collection, Iterator
from functools import partial
from typing import Final

from tests.simulation.holds.slots import SlotBody
from tests.simulation.network import Faults
from tests.simulation.scenarios.bounds import begin, trouble
from tests.simulation.scenarios.deploys import depart
from tests.simulation.world import TCP, World

KEYS = 3
AT_MOST = 4
EVERY = 0.02  # seconds between two questions
QUIET = 8.0  # seconds after which nothing is held: the longest body, and what holders need
LASTS = 2.0  # seconds that a slot is held whose holder says nothing
KEPT = (0.3, 1.4)  # seconds that a node is kept from running: less than its slots last
NOTICED = 0.3  # seconds until it is noticed that a link broke, or that the ring has changed


def _asks(world: World, seconds: float, *, strict: bool = False) -> None:
    """Have apps ask for slots, for so many seconds."""
    end = world.network.now + seconds

    def ask() -> None:
        nodes = [it for it in world.members if not world.paused(it.name)]
        if nodes:
            key, wait = f"k{world.random.randrange(KEYS)}", world.random.choice([0.0, 0.0, 1.0])
            world.random.choice(nodes).slots.take(key, AT_MOST, wait=wait, strict=strict)
        if world.network.now + EVERY < end:
            world.network.plan(world.network.now + EVERY, ask)

    world.network.plan(world.network.now + EVERY, ask)


def _bodies(world: World, key: str) -> Iterator[tuple[SlotBody, float]]:
    """Yield what ran under a key, and until when."""
    for node in world.ever:
        for body in node.slots.bodies:
            if body.key == key:
                yield body, node.slots.last_tick if body.ends is None else body.ends


def _at_a_time(world: World, key: str) -> list[tuple[float, int]]:
    """Return how many ran, from each moment on at which that changed."""
    steps: list[tuple[float, int]] = []
    for body, ends in _bodies(world, key):
        steps += [(body.begins, 1), (max(ends, body.begins), -1)]
    count, found = 0, list[tuple[float, int]]()
    for time, step in sorted(steps):
        count += step
        found.append((time, count))
    return found


def _no_more_than(
    world: World, most: int, until: float = 1e9, but: Collection[str] = frozenset()
) -> None:
    for key in {f"k{at}" for at in range(KEYS)} - {*but}:
        for time, count in _at_a_time(world, key):
            if time <= until:
                assert count <= most, world.say(f"{count} at {time:.3f}, at most {most}")


def _nothing_is_held(world: World) -> None:
    """Fail unless nobody waits and nothing is held, once all bodies have ended."""
    world.run(QUIET)
    for node in world.running:
        slots, name = node.slots.slots, node.name
        assert not node.slots.open, world.say(f"{node.slots.open} apps of {name} wait")
        held = len(slots.owner.table), slots.owner.table.waiting
        assert held == (0, 0), world.say(f"{name} decides about {held}")
        held = len(slots.holder), slots.holder.asked
        assert held == (0, 0), world.say(f"apps of {name} hold {held}")
        assert slots.owner.table.bytes == 0, world.say(f"{slots.owner.table.bytes} bytes")
    ran = sum(len(list(_bodies(world, f"k{at}"))) for at in range(KEYS))
    assert ran > 10 * KEYS, world.say(f"only {ran} ran")


def slots(seed: int, faults: Faults = TCP) -> None:
    """Nothing goes wrong: at no time are there more than may be."""
    world, _, _ = begin(seed, 1, 5, faults)
    _asks(world, 10.0)
    world.run(10.0)
    _nothing_is_held(world)
    _no_more_than(world, AT_MOST)


def slots_move(seed: int) -> None:
    """Nodes join and leave meanwhile: there are never more either, and strict ones are given."""
    world, names, _ = begin(seed, 2, 4)
    _asks(world, 12.0, strict=bool(seed % 2))
    world.run(3.0)
    world.start("new")
    world.settle()
    world.run(world.random.random() * 3)
    depart(world, world.random.choice(names))
    world.settle()
    world.run(8.0)
    _nothing_is_held(world)
    _no_more_than(world, AT_MOST)


def slots_deploy(seed: int) -> None:
    """Nodes leave while others, by which apps hold slots, are kept from running for a while.

    What these hold is known to who decides then, though they can't say so.
    """
    world, leaver, slow = _serving(seed)
    its = _keys_of(world, leaver, slow)
    _keep(world, slow, world.random.uniform(*KEPT))
    depart(world, leaver)
    _no_more_ran(world, its)


def slots_deploy_later(seed: int) -> None:
    """The same, and they have been kept from running for a moment when the first node leaves."""
    world, leaver, slow = _serving(seed)
    its = _keys_of(world, leaver, slow)
    _keep(world, slow, world.random.uniform(*KEPT))
    world.run(NOTICED * world.random.random())
    depart(world, leaver)
    _no_more_ran(world, its)


def slots_leaver_still(seed: int) -> None:
    """A node leaves that has just been kept from running itself; its apps hold slots of others."""
    world, leaver, _ = _serving(seed)
    its = _keys_of(world, leaver, leaver)
    world.network.pause(leaver)
    world.run(NOTICED * world.random.random())
    world.network.resume(leaver)
    depart(world, leaver)
    _no_more_ran(world, its)


def _serving(seed: int) -> tuple[World, str, str]:
    """Return a ring whose apps ask for slots, and two of its nodes."""
    world, names, _ = begin(seed, 3, 5)
    _asks(world, 12.0)
    world.run(3.0)
    leaver, slow = world.random.sample(names, 2)
    return world, leaver, slow


def _keys_of(world: World, leaver: str, slow: str) -> set[str]:
    """Return the keys of a node, now or once another has left: others decide while it's silent."""
    ring = world.nodes[leaver].cluster.ring
    rings = ring, ring.without_node(leaver)
    return {f"k{at}" for at in range(KEYS) if slow in {it.owner(f"k{at}") for it in rings}}


def _keep(world: World, name: str, seconds: float) -> None:
    """Keep a node from running for so long, from now on."""
    world.network.pause(name)
    world.network.plan(world.network.now + seconds, partial(world.network.resume, name))


def _no_more_ran(world: World, but: Collection[str]) -> None:
    """Go on until all is quiet; of all keys but these there were never more than may be.

    Of these another one decides while their owner is silent.
    """
    world.run(12.0)
    world.settle(60.0)
    _nothing_is_held(world)
    _no_more_than(world, AT_MOST, but=but)
    _no_more_than(world, 2 * AT_MOST)


def slots_lost(seed: int) -> None:
    """A node is killed: for two seconds there may be twice as many, and none is leaked."""
    world, names, _ = begin(seed, 3, 5)
    _asks(world, 12.0)
    world.run(3.0)
    world.crash(world.random.choice(names))
    lost = world.network.now
    world.run(12.0)
    world.settle(60.0)
    _nothing_is_held(world)
    _no_more_than(world, 2 * AT_MOST)
    _no_more_than(world, AT_MOST, until=lost)


def slots_storm(seed: int) -> None:
    """Nodes are killed, stand still and are split off: none is leaked."""
    world, names, _ = begin(seed, 3, 5)
    _asks(world, 20.0)
    world.run(2.0)
    trouble(world, names)
    world.run(12.0)
    world.settle(60.0)
    _nothing_is_held(world)


SMALL: Final = (
    slots,
    slots_move,
    slots_deploy,
    slots_deploy_later,
    slots_leaver_still,
    slots_lost,
    slots_storm,
)
