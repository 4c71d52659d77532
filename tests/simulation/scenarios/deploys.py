"""Scenarios of deploys: nodes are replaced, surge, scale and stay, and nothing is lost."""

from collections.abc import Sequence
from functools import partial

from sidegate.buckets.limits import parse_limits
from tests.simulation.network import Faults
from tests.simulation.scenarios.bounds import (
    FAST,
    SLOW,
    all_answered,
    all_spent,
    at_most,
    begin,
    keys_of,
)
from tests.simulation.world import World

OLD = parse_limits("10/hour").carrying().asked
CHANGED = ("20/hour", "5/hour", "40/hour burst 40", "10/hour burst 4")
MOST_STILL = 3.0  # seconds
LEAST = 0.5  # of a burst: what was charged in a failure may not have been told
ROUNDED = 0.02  # of a burst: what comes back in a run, of the smallest one


def deploy(seed: int, *, busy: bool = False) -> None:
    """All nodes are replaced, one by one; of 10 an hour 4 were spent: 6 are left, exactly.

    A new node comes before the old one goes, or after, or is the old one started again.
    """
    world, names, keys = begin(seed, 1 if busy else 2, 5, keys=8)
    world.spend(keys, SLOW, 4)
    if busy:
        world.traffic(60.0, 0.02, ["busy1", "busy2"], "1000/day")
    for at, name in enumerate(names):
        replace(world, name, f"m{at}", alone=len(names) == 1)
        world.run(world.random.random() * 2)
    world.spend(keys, SLOW, 12)
    world.run(1.0)
    all_spent(world, keys)
    if not busy:
        all_answered(world)


def replace(world: World, name: str, new: str, *, alone: bool) -> None:
    """Have a new node come in the place of one, in whatever order."""
    how = "before" if alone else world.random.choice(["before", "after", "again"])
    if how == "before":
        world.start(new)
        world.settle()
    depart(world, name)
    if how != "before":
        if world.random.random() < 0.5:
            world.settle()
        world.start(name if how == "again" else new)
    world.settle()


def depart(world: World, *names: str) -> None:
    """Have nodes leave, at the same moment, and exit when they have."""
    for name in names:
        world.nodes[name].leave()
    for name in names:
        node = world.nodes[name]
        left = world.network.run_until(node.is_leaf, 12.0)
        assert left is not None, world.say(f"{name} did not leave")
        assert not node.cluster.place.is_overdue, world.say(f"{name} left before it was done")
        world.stop(name)


def surge(seed: int) -> None:
    """All nodes are told to leave at once while others start: nothing is lost, exactly.

    They are told in the same moment or within a fraction of a second, before the new ones have come
    or after; each of these comes in time.
    """
    world, old, keys = begin(seed, 1, 5, keys=10)
    random = world.random
    world.spend(keys, SLOW, 4)
    new = [f"m{at}" for at in range(1 + random.randrange(4))]
    came = [world.network.now + random.random() * 6 for _ in new]
    for name, at in zip(new, came, strict=True):
        world.network.plan(at, partial(world.start, name, [*old, *new]))
    world.run(random.choice([0.0, 0.0, 0.5, 3.0]) * random.random())
    for name in old:
        world.nodes[name].leave()
        world.run(random.choice([0.0, 0.001, 0.002, 0.05]) * random.random())
    ends = partial(_end_when_left, world, old)
    world.network.run_until(ends, 12.0, every=0.01)
    still = [name for name in old if world.network.is_up(name)]
    assert not still, world.say(f"{still} did not leave: {world.views()}")
    world.network.run(max(came))
    world.settle()
    world.spend(keys, SLOW, 12)
    all_spent(world, keys)


def _end_when_left(world: World, names: list[str]) -> bool:
    """Have those exit that have left; have all?"""
    up = [name for name in names if world.network.is_up(name)]
    for name in up:
        if world.nodes[name].is_leaf():
            assert not world.nodes[name].cluster.place.is_overdue, world.say(f"{name} is overdue")
            world.stop(name)
    return not up


def scale(seed: int) -> None:
    """Three nodes become six, then two, four leaving one after the other or at once: exact."""
    world = World(seed)
    world.begin("a", "b", "c")
    keys = keys_of(world, 12)
    world.spend(keys, SLOW, 3)
    at_once = world.random.random() < 0.5
    for name in ("d", "e", "f"):
        world.start(name)
        if not at_once:
            world.settle()
    world.settle()
    world.spend(keys, SLOW, 3)
    going = world.random.sample(["a", "b", "c", "d", "e", "f"], 4)
    if at_once:
        depart(world, *going)
    else:
        for name in going:
            depart(world, name)
    world.settle()
    world.spend(keys, SLOW, 8)
    all_spent(world, keys)
    all_answered(world)


def stable(seed: int) -> None:
    """Nobody comes or goes, the network is slow: no key is admitted once too often."""
    slow = Faults(delay=0.001 + seed % 7 / 1000, jitter=0.002, ordered=True)
    world, _, keys = begin(seed, 1, 6, slow, keys=5)
    start = world.network.now
    world.traffic(5.0, 0.001, keys, FAST)
    world.run(6.0)
    for key in keys:
        at_most(world, key, FAST, world.network.now - start, 0)
    all_answered(world)


# --- limits that change


def change(seed: int) -> None:
    """A deploy brings new nodes and a new limit: all shares that pass are one burst, exactly."""
    world, names, keys = begin(seed, 2, 5, keys=6)
    new = parse_limits(world.random.choice(CHANGED)).carrying().asked
    world.spend(keys, OLD, 4)
    for at, name in enumerate(names):
        for _ in range(3):
            _ask(world, keys, (OLD, new))
        replace(world, name, f"m{at}", alone=False)
        _ask(world, keys, (OLD, new))
    for _ in range(41):
        _ask(world, keys, (new,))
    world.run(0.5)
    for key in keys:
        total, token = _shares(world, key), 1 / parse_limits(new).smallest_burst
        assert 1 - token - 0.1 <= total <= 1 + ROUNDED, world.say(f"{key}: {total:.3f} of one")


def change_and_fail(seed: int) -> None:
    """The same while nodes die or stand still: less passes than if each limit stood for itself.

    And nobody is locked out.
    """
    world, _, keys = begin(seed, 3, 5, keys=6)
    new = parse_limits(world.random.choice(CHANGED)).carrying().asked
    world.spend(keys, OLD, 4)
    for at in range(3):
        _ask(world, keys, (OLD, new))
        _fail(world, f"m{at}")
        for _ in range(3):
            _ask(world, keys, (OLD, new))
        world.run(MOST_STILL)
        world.settle()
    for _ in range(41):
        _ask(world, keys, (new,))
    world.run(0.5)
    for key in keys:
        total = _shares(world, key)
        assert LEAST <= total < 2, world.say(f"{key}: {total:.3f} of one")


def _fail(world: World, new: str) -> None:
    """Have a node die, and a new one come, or have it stand still."""
    name = world.random.choice([it.name for it in world.members])
    if world.random.random() < 0.5:
        world.crash(name)
        world.start(new)
    else:
        world.network.pause(name)
        until = world.network.now + MOST_STILL * world.random.random()
        world.network.plan(until, partial(world.network.resume, name))


def _ask(world: World, keys: Sequence[str], limits: Sequence[str]) -> None:
    """Ask about each key once, by the limits of some app."""
    for key in keys:
        world.check(world.random.choice(world.members).name, key, world.random.choice(limits))
        world.run(0.005)
    world.run(0.2)


def _shares(world: World, key: str) -> float:
    """Return what was let through of a key, in bursts of its limits."""
    return sum(
        tokens / parse_limits(limits).smallest_burst
        for (asked, limits), tokens in world.spent.items()
        if asked == key
    )
