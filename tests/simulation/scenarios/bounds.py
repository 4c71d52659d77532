"""What scenarios of whole nodes share: names and keys, and bounds that fail a run."""

from collections.abc import Collection, Sequence

from sidegate.buckets.limits import parse_limits
from tests.simulation.known import BY_TABLE
from tests.simulation.network import Faults
from tests.simulation.world import TCP, World

SLOW = "10/hour"  # a token in six minutes: what is admitted in a run is the burst and no more
FAST = "100/second burst 20"
SYNC = 0.15  # seconds of decisions that a crash may lose: flushes, and the time to notice
ON_ITS_WAY = 0.0025  # seconds of a message at the most: the wire of one that dies is cut here
WHOLE_WITHIN = 5.0  # seconds from the end of a storm to one ring
HEALED_WITHIN = 10.0
APART_WITHIN = 60.0  # seconds until a node that hears nobody takes the last one for dead
MAX_MESSAGES = 60.0  # of a node in a second, beside those of checks
LOSSY = Faults(loss=0.05, duplication=0.05, delay=0.001, jitter=0.02)


def keys_of(world: World, count: int) -> list[str]:
    """Return keys that are others in each run."""
    return [f"k{world.seed}.{at}" for at in range(count)]


def names_of(world: World, least: int, most: int) -> list[str]:
    """Return names for some nodes."""
    return [f"n{at}" for at in range(least + world.random.randrange(most - least + 1))]


def begin(
    seed: int, least: int, most: int, faults: Faults = TCP, *, keys: int = 0
) -> tuple[World, list[str], list[str]]:
    """Return a ring of some nodes, their names, and so many keys."""
    world = World(seed, faults)
    names = names_of(world, least, most)
    world.begin(*names)
    return world, names, keys_of(world, keys)


def trouble(world: World, names: Sequence[str]) -> None:
    """Have one of three nodes or more die, and another stand still, be split off, and come back."""
    victim, sleeper, *rest = world.random.sample(names, len(names))
    world.crash(victim)
    world.run(world.random.random() * 4)
    world.network.pause(sleeper)
    world.run(world.random.random() * 4)
    world.network.resume(sleeper)
    world.run(2.0)
    world.network.split([sleeper], rest)
    world.run(world.random.random() * 6)
    world.network.heal()


def exactly(world: World, key: str, limit: str, admitted: int) -> None:
    """Fail unless a key was admitted so often, in a run too short for a token to come back."""
    assert admitted == parse_limits(limit).smallest_burst, world.say(
        f"{key}: {admitted} of {limit}"
    )


def all_spent(world: World, keys: Sequence[str]) -> None:
    """Fail unless of each key just what SLOW allows was admitted."""
    for key in keys:
        exactly(world, key, SLOW, world.count(key))


def at_most(world: World, key: str, limit: str, seconds: float, extra: float) -> None:
    """Fail if a key was admitted more often than its limit allows in that time, and `extra`."""
    [it] = parse_limits(limit).items
    most = it.burst + seconds * it.tokens / it.window + extra
    admitted = world.count(key)
    assert admitted <= most + 1e-6, world.say(f"{key}: {admitted}, at most {most:.1f} of {limit}")


def all_answered(world: World) -> None:
    """Fail if a check wasn't answered, or one went round and round."""
    assert world.told == world.asked, world.say(f"{world.asked - world.told} got no answer")
    assert world.hops <= 2, world.say(f"{world.hops} hops")


def decided_by(
    world: World, key: str, node: str, seconds: float, sources: Collection[str] = BY_TABLE
) -> int:
    """Count what a node has let through of a key in the last moments, as one of these sources."""
    since = world.network.now - seconds
    count = 0
    for time, what, who, how in reversed(world.admitted):
        if time < since:
            break
        count += what == key and who == node and how in sources
    return count


def deciders(world: World, key: str) -> int:
    """Count the nodes that have let a key through."""
    return len({who for _, what, who, how in world.admitted if what == key and how in BY_TABLE})
