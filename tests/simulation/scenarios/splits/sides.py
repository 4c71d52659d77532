"""What scenarios of splits share: clusters that hold down or count, bounds of every interval."""

from collections.abc import Sequence

from sidegate.buckets.limits import parse_limits
from sidegate.protocol.standing_messages import OnSplit
from tests.simulation.known import BY_TABLE
from tests.simulation.nodes import SimNode
from tests.simulation.scenarios.bounds import HEALED_WITHIN, keys_of
from tests.simulation.world import World

BUSY = "20/second"
BURST = RATE = 20.0  # of it
MEETING = 0.15 * RATE  # what an owner decides until it hears that sides have met
LATE = 1.2  # tokens of it: debts of 50 ms, one of them, aren't sent; and answers come late
AGREED_WITHIN = 15.0  # seconds until a whole cluster counts by all of its nodes: 10 are a hold
NOTICED_WITHIN = 3.0  # seconds from a split until the last node knows its side
RING_WITHIN = 8.0  # more, until the lost are off each ring


def counting(
    seed: int, on_split: OnSplit, least: int, most: int, on_unreachable: str = "closed"
) -> tuple[World, list[str], list[str]]:
    """Return a ring of some nodes that agree who counts, their names, and three keys."""
    world = World(seed, on_split=on_split, on_unreachable=on_unreachable)
    names = [f"n{at}" for at in range(least + world.random.randrange(most - least + 1))]
    world.begin(*names)
    agree(world)
    return world, names, keys_of(world, 3)


def agree(world: World) -> None:
    """Run until all nodes count by those that there are, and decide by whole limits."""
    took = world.network.run_until(lambda: all_agree(world), AGREED_WITHIN)
    assert took is not None, world.say(f"not agreed: {said(world.running)}")


def all_agree(world: World) -> bool:
    """Do all nodes count by all that are on the ring, and decide by whole limits?"""
    names = tuple(sorted(it.name for it in world.members if not it.cluster.leaf))
    sides = [it.cluster.side for it in world.running]
    return all(it.sets.agreed.names == names and not it.sets.proposed for it in sides) and all(
        it.decides and it.part.is_whole for it in sides
    )


def said(nodes: Sequence[SimNode]) -> str:
    """Return how each node stands, for a complaint."""
    sides = [(it.name, it.cluster.side) for it in nodes]
    return "; ".join(
        f"{name}: decides {side.decides}, {side.part}, {side.sets.last}, misses {side.lost}"
        for name, side in sides
    )


def some_sides(world: World, names: Sequence[str]) -> list[list[str]]:
    """Return two sides, or three, each with somebody in it."""
    count = min(2 + (world.random.random() < 0.3), len(names))
    mixed = world.random.sample(list(names), len(names))
    cuts = sorted(world.random.sample(range(1, len(names)), count - 1))
    return [mixed[one:other] for one, other in zip([0, *cuts], [*cuts, len(names)], strict=True)]


def heal(world: World) -> None:
    """Have the network be whole again, and wait for one ring on which all agree."""
    world.network.heal()
    world.settle(HEALED_WITHIN)
    agree(world)


def each_interval(world: World, key: str, limit: str, *, extra: float, since: float) -> None:
    """Fail if a key got more in any interval since then than its limit gives in it, and `extra`."""
    [it] = parse_limits(limit).items
    rate = it.tokens / it.window
    level = worst = 0.0
    last = since
    for at, what, _, source in world.admitted:
        if what == key and at >= since and source in BY_TABLE:
            level = max(level - rate * (at - last), 0.0) + 1
            last = at
            worst = max(worst, level)
    assert worst <= it.burst + extra + 1e-6, world.say(
        f"{key}: {worst:.2f} at once since {since:.1f}, at most {it.burst} and {extra:.1f}"
    )


def sources_of(world: World, name: str, key: str, limit: str) -> set[str]:
    """Return the sources of two answers that a node gives now."""
    found: set[str] = set()
    for _ in range(2):
        world.check(name, key, limit, heard=lambda answers: found.add(str(answers.source)))
        world.run(0.1)
    return found
