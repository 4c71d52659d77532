"""Scenarios of splits with --on-split quorum: one side decides at the most, and one that should."""

from collections.abc import Callable
from typing import Final

from sidegate.protocol.standing_messages import OnSplit
from tests.simulation.known import BY_TABLE
from tests.simulation.scenarios.bounds import WHOLE_WITHIN
from tests.simulation.scenarios.deploys import depart
from tests.simulation.scenarios.splits.sides import (
    AGREED_WITHIN,
    BURST,
    BUSY,
    LATE,
    MEETING,
    NOTICED_WITHIN,
    RATE,
    RING_WITHIN,
    agree,
    counting,
    each_interval,
    heal,
    said,
    some_sides,
    sources_of,
)
from tests.simulation.world import World


def goes_on(side: list[str], names: list[str]) -> bool:
    """Tell if a side is more than half of the names, or half with the smallest."""
    return 2 * len(side) > len(names) or (2 * len(side) == len(names) and min(names) in side)


def quorum(seed: int) -> None:
    """The larger side goes on, the others refuse; both in every interval within one limit.

    But for what each other side gives until it has noticed: a limit, and the rate of that time.
    """
    world, names, keys = counting(seed, OnSplit.QUORUM, 2, 7)
    began = world.network.now
    world.traffic(60.0, 0.008, keys, BUSY)
    world.run(1.0)
    sides = some_sides(world, names)
    world.network.split(*sides)
    world.run(NOTICED_WITHIN)
    noticed = world.network.now
    more = BURST + RATE * NOTICED_WITHIN
    _each_knows(world, sides, names)
    world.run(RING_WITHIN)
    for side in sides:
        _goes_on_or_refuses(world, side, keys[0], goes=goes_on(side, names))
    world.run(world.random.choice([0.0, 3.0, 14.0]))
    heal(world)
    world.run(1.0)
    for key in keys:
        each_interval(world, key, BUSY, extra=LATE + MEETING, since=noticed)
        each_interval(world, key, BUSY, extra=more * (len(sides) - 1), since=began)


def _each_knows(world: World, sides: list[list[str]], names: list[str]) -> None:
    for side in sides:
        goes, nodes = goes_on(side, names), [world.nodes[name] for name in side]
        wrong = [it for it in nodes if it.cluster.side.decides != goes]
        assert not wrong, world.say(f"of {side}: {said(wrong)}")


def _goes_on_or_refuses(world: World, side: list[str], key: str, *, goes: bool) -> None:
    nodes = [world.nodes[name] for name in side]
    wrong = [it for it in nodes if it.cluster.side.decides != goes]
    assert not wrong, world.say(f"of {side}: {said(wrong)}")
    for name in side:
        found = sources_of(world, name, key, BUSY)
        right = found <= BY_TABLE if goes else found == {"closed"}
        assert right, world.say(f"{name} of {side} answers by {found}")


def kill_one(seed: int) -> None:
    """One of three or more is killed: the others decide on, and nobody is refused."""
    world, names, keys = counting(seed, OnSplit.QUORUM, 3, 6)
    world.traffic(8.0, 0.01, keys, BUSY)
    world.run(1.0)
    victim = world.random.choice(names)
    world.crash(victim)
    others = [it for it in world.running if it.name != victim]
    end = world.network.now + 20.0
    while world.network.now < end:
        world.run(0.1)
        assert all(it.cluster.side.decides for it in others), world.say(said(others))
    agree(world)
    if world.random.random() < 0.5:
        world.start(victim if world.random.random() < 0.5 else "new")
        world.settle()
        agree(world)


def kill_most(seed: int) -> None:
    """Most are killed at once: the rest refuses until they are back, or are forgotten.

    So does a leaf, which forwards to them.
    """
    world, names, keys = counting(seed, OnSplit.QUORUM, 3, 7)
    world.start("leaf", leaf=True)
    world.run(1.0)
    victims = world.random.sample(names, len(names) // 2 + 1)
    for name in victims:
        world.crash(name)
    world.run(NOTICED_WITHIN + RING_WITHIN)
    rest = ["leaf", *(name for name in names if name not in victims)]
    _goes_on_or_refuses(world, rest, keys[0], goes=False)
    world.run(30.0)
    _goes_on_or_refuses(world, rest, keys[0], goes=False)
    if world.random.random() < 0.5:
        for name in victims:
            world.start(name)
        world.settle()
    else:
        for name in victims:
            why = world.nodes[rest[1]].cluster.forget(name, world.nodes[rest[1]].clock())
            assert not why or name in world.nodes[rest[1]].cluster.side.sets.gone, world.say(why)
    agree(world)
    _goes_on_or_refuses(world, rest, keys[0], goes=True)


def kill_in_turn(seed: int) -> None:
    """They are killed one by one, with time to agree: the last two of them need the smallest."""
    world, names, keys = counting(seed, OnSplit.QUORUM, 3, 6)
    left = world.random.sample(names, len(names))
    while len(left) > 2:
        world.crash(left.pop())
        world.run(0.1)
        world.network.run_until(lambda: len(world.running[0].cluster.ring.nodes) == len(left), 20)
        agree(world)
        _goes_on_or_refuses(world, left, keys[0], goes=True)
    world.crash(left[1])
    world.run(NOTICED_WITHIN + RING_WITHIN)
    _goes_on_or_refuses(world, left[:1], keys[0], goes=left[0] < left[1])


def deploys_apart(seed: int) -> None:
    """While it is split nodes are replaced and scaled on all sides; who goes on stays the same.

    Once it has agreed on its nodes, 10 s after it has noticed: before that a side of just enough
    nodes may be too small when one leaves.
    """
    world, names, keys = counting(seed, OnSplit.QUORUM, 3, 6)
    world.traffic(90.0, 0.02, keys, BUSY)
    sides = some_sides(world, names)
    world.network.split(*sides)
    world.run(NOTICED_WITHIN)
    noticed = world.network.now
    goes = [goes_on(side, names) for side in sides]
    world.run(AGREED_WITHIN)
    for step in range(4):
        side = world.random.choice(sides)
        if world.random.random() < 0.7:
            side.append(f"m{step}")
            world.network.split(*sides)
            world.start(side[-1])
            world.run(WHOLE_WITHIN)
        if len(side) > 1:
            depart(world, side.pop(0))
        world.run(world.random.choice([1.0, 13.0]))
        deciding = [any(world.nodes[it].cluster.side.decides for it in side) for side in sides]
        assert deciding == goes, world.say(f"{sides}: {said(world.running)}")
    heal(world)
    for key in keys:
        each_interval(world, key, BUSY, extra=LATE + MEETING, since=noticed)


def to_zero(seed: int) -> None:
    """All leave, the last one too, and others begin: these decide at once."""
    world, names, keys = counting(seed, OnSplit.QUORUM, 2, 5)
    while len(names) > 1:
        gone = names[: 1 + world.random.randrange(len(names) - 1)]
        depart(world, *gone)
        names = names[len(gone) :]
        _goes_on_or_refuses(world, names, keys[0], goes=True)
        world.run(world.random.choice([0.0, 2.0]))
    world.start("z1")
    world.settle()
    depart(world, *names)
    _goes_on_or_refuses(world, ["z1"], keys[0], goes=True)
    world.crash("z1")
    world.start("z0", ())
    world.settle()
    _goes_on_or_refuses(world, ["z0"], keys[0], goes=True)


def ragged(seed: int) -> None:
    """Splits, cuts one way, kills and starts follow each other: two sides never both decide.

    Two nodes that have been without any way to each other for long enough to notice are on
    different sides. Once it is over all agree again.
    """
    world, names, keys = counting(seed, OnSplit.QUORUM, 3, 7)
    world.traffic(150.0, 0.02, keys, BUSY)
    for _ in range(5):
        _change(world, names)
        world.run(world.random.choice([0.3, 2.0, 6.0, 14.0]))
        if world.network.now - world.network.changed_at > NOTICED_WITHIN:
            _no_two_sides(world)
    world.network.heal()
    for name in names:
        if not world.network.is_up(name):
            world.start(name)
    heal(world)


def _change(world: World, names: list[str]) -> None:
    random = world.random
    match random.choice(["split", "split", "cut", "heal", "kill", "start"]):
        case "split":
            world.network.heal()
            world.network.split(*some_sides(world, names))
        case "cut":
            one, other = random.sample(names, 2)
            world.network.cut(one, other)
            if random.random() < 0.5:
                world.network.cut(other, one)
        case "heal":
            world.network.heal()
        case "kill" if len(world.running) > 2:
            world.crash(random.choice([it.name for it in world.running]))
        case _:
            world.network.heal()  # who starts alone knows of nobody before
            if away := [name for name in names if not world.network.is_up(name)]:
                world.start(random.choice(away), names)


def _no_two_sides(world: World) -> None:
    sides: list[set[str]] = []
    for node in world.running:
        if node.cluster.side.decides and node.cluster.membership.me.owner:
            mine = {node.name, *node.cluster.ring.nodes}
            if not any(side & mine for side in sides):
                sides.append(mine)
    assert len(sides) < 2, world.say(f"{sides} decide: {said(world.running)}")


QUORUMS: Final[tuple[Callable[[int], object], ...]] = (
    quorum,
    kill_one,
    kill_most,
    kill_in_turn,
    deploys_apart,
    to_zero,
    ragged,
)
