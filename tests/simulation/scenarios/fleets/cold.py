"""Cold starts: what all nodes of a cluster say to each other when they start at the same time."""

from dataclasses import dataclass

from tests.simulation.scenarios.bounds import keys_of
from tests.simulation.world import World


@dataclass(frozen=True)
class ColdStart:
    """What a node says until each holds all that it should, on the average."""

    nodes: int
    messages: float
    confirms: float  # of them, whether all was sent by a ring
    exchanges: int  # of everything, that it begins, at most
    rings: float  # that it passes through
    seconds: float


def cold_start(seed: int, nodes: int, spread: float = 0.0) -> ColdStart:
    """Start nodes that have all as seeds, at once or each at any time in so many seconds."""
    world = World(seed)
    names = [f"n{at}" for at in range(nodes)]
    for name in names:
        _start(world, name, names, spread * world.random.random())
    keys = keys_of(world, 50)
    took = world.network.run_until(lambda: _is_whole(world, nodes, keys), spread + 10.0)
    assert took is not None, world.say("the cluster has not formed")
    sent, kinds = world.network.sent, world.network.kinds
    return ColdStart(
        nodes,
        sum(sent.values()) / nodes,
        kinds["Confirm"] / nodes,
        max(it.cluster.membership._outgoing._exchanges for it in world.running),
        sum(it.ring_changes for it in world.running) / nodes,
        took,
    )


def _start(world: World, name: str, names: list[str], at: float) -> None:
    world.network.plan(at, lambda: world.start(name, names))


def _is_whole(world: World, nodes: int, keys: list[str]) -> bool:
    """Is there one ring, on which all hold what they are to hold?"""
    if len(world.nodes) < nodes or not world.is_settled:
        return False
    ring = world.running[0].cluster.ring
    return all(
        world.nodes[name].cluster.sync.copies.hold(key) for key in keys for name in ring.pair(key)
    )
