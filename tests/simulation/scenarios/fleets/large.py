"""Large clusters: what their nodes say, and how they take the crash of one."""

from collections.abc import Collection
from dataclasses import dataclass

from tests.simulation.world import World


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


def form(world: World, names: list[str], leaves: Collection[str] = ()) -> None:
    """Have many nodes be one ring without each having met each."""
    for name in names:
        world.start(name, [], leaf=name in leaves)
    members = [it.cluster.membership.me for it in world.running]
    for node in world.running:
        node.know(members)
