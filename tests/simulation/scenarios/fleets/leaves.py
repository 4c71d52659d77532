"""Fleets: few owners and many leaves; what each says, and how soon a crash is known to whom."""

from collections import Counter
from dataclasses import dataclass

from sidegate_ring.membership.membership import Life
from tests.simulation.nodes import SimNode
from tests.simulation.scenarios.fleets.large import form
from tests.simulation.world import World

IDLE = 5.0  # seconds in which messages are counted
NOTICED_WITHIN = 8.0  # seconds for all to know of a crash, and of a standstill


@dataclass(frozen=True)
class FleetSize:
    """What a fleet costs and how soon it notices; messages are those that one sends in a second."""

    owners: int
    leaves: int
    of_leaf: float
    of_owner: float
    links: int  # of the leaf that has most
    leaf_crash: list[float]  # seconds from a crash until each owner takes it for dead
    leaf_stall: list[float]  # the same of one that stands still, whose links don't break
    owner_crash: list[float]  # seconds until each leaf has taken an owner off the ring
    to_leaves: float  # messages that a leaf is sent while another one dies


def fleet(seed: int, owners: int, leaves: int) -> FleetSize:
    """Measure what the nodes of a fleet say, and how they take the crash of an owner and a leaf."""
    world = World(seed)
    names, others = [f"n{at}" for at in range(owners)], [f"leaf{at}" for at in range(leaves)]
    form(world, [*names, *others], {*others})
    world.run(2.0)
    idle = _sent(world, IDLE)
    heard = {name: _told(world.nodes[name]) for name in others}
    crashed, stopped = world.random.sample(others, 2)
    leaf_crash = _dies(world, crashed, names, pause=False)
    took = NOTICED_WITHIN
    untouched = [it for it in others if it not in {crashed, stopped}]
    to_leaves = [_told(world.nodes[it]) - heard[it] for it in untouched]
    leaf_stall = _dies(world, stopped, names, pause=True)
    victim = world.random.choice(names)
    owner_crash = _dies(world, victim, untouched, pause=False)
    links = max(len(world.network.links_of(name)) for name in untouched)
    return FleetSize(
        owners,
        leaves,
        max(idle[name] for name in others),
        max(idle[name] for name in names),
        links,
        leaf_crash,
        leaf_stall,
        owner_crash,
        max(to_leaves) / took,
    )


def _sent(world: World, seconds: float) -> dict[str, float]:
    """Return how many messages each node sends in a second."""
    before = Counter(world.network.sent)
    world.run(seconds)
    return {name: (world.network.sent[name] - before[name]) / seconds for name in world.nodes}


def _told(node: SimNode) -> int:
    return node.gossip


def _dies(world: World, victim: str, observers: list[str], *, pause: bool) -> list[float]:
    """End a node, or have it stand still, and return when each observer takes it for dead."""
    began = world.network.now
    (world.network.pause if pause else world.crash)(victim)
    world.run(NOTICED_WITHIN)
    found: list[float] = []
    for name in observers:
        node = world.nodes[name]
        when = [at for who, at in node.buried if who == victim and at >= began]
        if name == victim:
            continue
        assert when, world.say(f"{name} does not know that {victim} is gone")
        assert node.cluster.membership.members[victim].state is Life.DEAD
        found.append(when[0] - began)
    return sorted(found)
