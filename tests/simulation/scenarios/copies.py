"""Scenarios of nodes that can't ask who knows: who holds no copy doesn't answer as one that does.

Each is made from one seed, with the bound that docs/running/guarantees.md promises for it.
"""

from collections.abc import Callable, Sequence
from typing import Final

from tests.simulation.network import Faults
from tests.simulation.scenarios.bounds import (
    HEALED_WITHIN,
    SLOW,
    WHOLE_WITHIN,
    all_answered,
    all_spent,
    at_most,
    begin,
    exactly,
)
from tests.simulation.world import World

BURST: Final = 10  # of SLOW
STEADY: Final = "10/second"
UNHEARD: Final = 0.5  # seconds until a third has vouched for a node that can't be heard
RESEND: Final = 0.2  # seconds: what TCP waits for at least before it sends a packet again


def by_share(world: World, key: str) -> int:
    """Count how often a key was let through by a node's share."""
    return sum(it[1] == key and it[3] == "local" for it in world.admitted)


def share_holds(world: World, key: str, nodes: int, deciders: int) -> None:
    """Fail if a key was let through by more than so many nodes' shares."""
    most = deciders * max(BURST // nodes, 1)
    found = by_share(world, key)
    assert found <= most, world.say(f"{key}: {found} by shares, at most {most}")


def ask_all(world: World, names: Sequence[str], keys: Sequence[str], pause: float) -> None:
    """Have the app beside each of these nodes ask about each key."""
    for key in keys:
        for name in names:
            world.check(name, key, SLOW)
        world.run(pause)


def third(seed: int) -> None:
    """Owner and backup of spent keys stand still for 30 to 300 ms: a share each, and no more."""
    world, names, keys = begin(seed, 3, 6, keys=6)
    world.spend(keys, SLOW, BURST)
    world.run(0.4)
    pair = world.nodes[names[0]].cluster.ring.pair(keys[0])
    until = world.network.now + 0.03 + world.random.random() * 0.27
    for name in pair:
        world.network.pause(name)
    while world.network.now < until:
        ask_all(world, [it for it in names if it not in pair], keys, 0.002)
    for name in pair:
        world.network.resume(name)
    world.run(1.0)
    world.settle()
    world.spend(keys, SLOW, 3)
    for key in keys:
        exactly(world, key, SLOW, world.count(key))
        share_holds(world, key, len(names), len(names) - 2)
    all_answered(world)


def blinks(seed: int) -> None:
    """One node stands still for 30 to 300 ms, again and again: what is spent stays spent.

    Of a key that isn't spent, what the backup let through meanwhile may be let through twice.
    """
    world, names, keys = begin(seed, 2, 5, keys=6)
    spent, fresh = keys[:3], keys[3:]
    world.spend(spent, SLOW, BURST)
    world.run(0.4)
    victim = world.random.choice(names)
    for _ in range(5):
        world.network.pause(victim)
        until = world.network.now + 0.03 + world.random.random() * 0.27
        while world.network.now < until:
            ask_all(world, [it for it in names if it != victim], keys, 0.003)
        world.network.resume(victim)
        ask_all(world, names, keys, 0.003)
        world.run(0.1)
    world.settle()
    all_spent(world, spent)
    for key in fresh:
        stood_in = sum(it[1] == key and it[3] == "backup" for it in world.admitted)
        at_most(world, key, SLOW, 60.0, stood_in)
    all_answered(world)


def pair_cut(seed: int) -> None:
    """Two nodes can't hear each other, both ways or one, others hear both: one decides.

    Until a third has vouched for the owner its backup stands in.
    """
    world, names, _ = begin(seed, 3, 5)
    one, other = world.random.sample(names, 2)
    ring = world.nodes[one].cluster.ring
    found = (f"k{seed}.{at}" for at in range(100_000))
    keys = [next(it for it in found if set(ring.pair(it)) == {one, other}) for _ in range(3)]
    start = world.network.now
    world.network.cut(one, other)
    if world.random.random() < 0.5:
        world.network.cut(other, one)
    world.traffic(10.0, 0.005, keys, STEADY)
    world.run(11.0)
    seconds = world.network.now - start
    for key in keys:
        at_most(world, key, STEADY, seconds, BURST + BURST * UNHEARD)
    world.network.heal()
    world.settle(HEALED_WITHIN)
    all_answered(world)


def loss(seed: int) -> None:
    """From 1 to 30 % of the packets of one node, or of all, are lost and sent again.

    At most a limit more: what the backup lets through before it has heard of the owner's. Where
    that is so bad that nodes which live are taken for dead, a limit for each node, as in a split.
    """
    world, names, keys = begin(seed, 3, 5, keys=5)
    bad = Faults(loss=world.random.uniform(0.01, 0.3), resend=RESEND, ordered=True)
    victims = names if world.random.random() < 0.5 else [world.random.choice(names)]
    for one in names:
        for other in names:
            if one != other and {one, other} & {*victims}:
                world.network.between(one, other, bad)
    world.traffic(10.0, 0.005, keys, SLOW)
    world.run(12.0)
    for one in names:
        for other in names:
            world.network.between(one, other, Faults(ordered=True))
    world.settle(HEALED_WITHIN)
    world.run(6.0)
    before = {key: world.count(key) for key in keys}
    world.spend(keys, SLOW, 3)
    sides = len(names) if any(it.buried for it in world.running) else 2
    for key in keys:
        at_most(world, key, SLOW, 60.0, (sides - 1) * BURST)
        share_holds(world, key, len(names), 2 * len(names))  # who is taken for dead changes it
        again = world.count(key) - before[key]
        assert not again or before[key] + again <= BURST, world.say(f"{key}: {again} after it")
    all_answered(world)


def suspend(seed: int) -> None:
    """Suspend a machine that wakes with its network not yet back: a share, until it was told."""
    world, names, keys = begin(seed, 3, 5, keys=8)
    victim = world.random.choice(names)
    others = [it for it in names if it != victim]
    world.network.pause(victim)
    world.run(world.random.choice([0.3, 2.0, 8.0]))
    for _ in range(BURST + 2):
        ask_all(world, others[:1], keys, 0.002)
    world.run(0.3)
    world.network.split([victim], others)
    woken = world.network.now
    world.network.resume(victim)
    for _ in range(20):
        ask_all(world, [victim], keys, 0.01)
    world.network.heal()
    decided = [it for it in world.admitted if it[2] == victim and it[0] > woken]
    assert {it[3] for it in decided} <= {"local"}, world.say(f"{victim} decided: {decided}")
    world.settle(WHOLE_WITHIN)
    world.run(0.5)
    world.spend(keys, SLOW, 3)
    for key in keys:
        exactly(world, key, SLOW, world.count(key))
        share_holds(world, key, len(names), 1)
    all_answered(world)


def widowed(seed: int) -> None:
    """Kill a backup that stands in for an owner: that one hears of it from who has a third copy."""
    world, names, some = begin(seed, 4, 6, keys=30)
    ring = world.nodes[names[0]].cluster.ring
    owner, backup = pair = ring.pair(some[0])
    keys = [key for key in some if ring.pair(key) == pair][:4]
    world.run(0.4)
    world.network.pause(owner)
    for _ in range(BURST):
        ask_all(world, [backup], keys, 0.005)
    world.run(0.3)
    world.crash(backup)
    if world.random.random() < 0.5:
        world.run(world.random.choice([0.0, 0.3]))
        world.start(backup)
    world.run(world.random.random() * 5)
    world.network.resume(owner)
    world.run(5.0)
    world.settle()
    world.spend(keys, SLOW, 3)
    all_spent(world, keys)
    all_answered(world)


COPIES: Final[list[Callable[[int], object]]] = [third, blinks, pair_cut, loss, suspend, widowed]
"""Each takes a tenth of a second."""
