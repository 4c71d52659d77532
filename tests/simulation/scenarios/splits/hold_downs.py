"""Scenarios of splits with --on-split hold-down: all sides together keep to one limit."""

from collections.abc import Callable
from typing import Final

from sidegate.protocol.standing_messages import OnSplit
from sidegate_sidecar.cluster.split.side import HOLD
from tests.simulation.scenarios.bounds import HEALED_WITHIN, SYNC, decided_by
from tests.simulation.scenarios.splits.sides import (
    BURST,
    BUSY,
    LATE,
    NOTICED_WITHIN,
    RATE,
    agree,
    counting,
    each_interval,
    heal,
    said,
    some_sides,
)
from tests.simulation.world import World

HELD: Final = HOLD / 1e9
QUIET: Final = 1.1  # seconds in which a bucket of BUSY is full again


def hold_down(seed: int) -> None:
    """From when all have noticed until a side has held for 10 s, together they admit one limit."""
    world, names, keys = counting(seed, OnSplit.HOLD_DOWN, 2, 7)
    began = world.network.now
    sides = some_sides(world, names)
    world.traffic(60.0, 0.008, keys, BUSY)
    world.run(1.0)
    world.network.split(*sides)
    noticed = _all_noticed(world, sides)
    world.run(QUIET)
    held_from = world.network.now
    _each_has_its_part(world, sides, len(names))
    world.run(max(noticed + HELD - 1.0 - world.network.now, 0.0))
    for key in keys:
        each_interval(world, key, BUSY, extra=LATE, since=held_from)
    if world.random.random() < 0.5:
        world.run(NOTICED_WITHIN + 3.0)
        nodes = world.running
        assert all(it.cluster.side.part.is_whole for it in nodes), world.say(said(nodes))
    heal(world)
    more = BURST + RATE * (world.network.now - began)
    for key in keys:
        each_interval(world, key, BUSY, extra=more * (len(sides) - 1), since=began)


def _all_noticed(world: World, sides: list[list[str]]) -> float:
    """Run until each node misses all of the other sides; return when the first one did."""
    first = 0.0
    count = sum(map(len, sides))
    away = {name: count - len(side) for side in sides for name in side}

    def noticed() -> bool:
        nonlocal first
        missing = [len(it.cluster.side.lost) == away[it.name] for it in world.running]
        if any(missing) and not first:
            first = world.network.now
        return all(missing)

    took = world.network.run_until(noticed, NOTICED_WITHIN)
    assert took is not None, world.say(f"not noticed: {said(world.running)}")
    return first


def _each_has_its_part(world: World, sides: list[list[str]], count: int) -> None:
    for side in sides:
        for name in side:
            held = world.nodes[name].cluster.side
            assert held.part == (len(side), count), world.say(f"of {side}: {said(world.running)}")


def flapping(seed: int) -> None:
    """A network that splits and heals again and again gives no more than a limit a side."""
    world, names, keys = counting(seed, OnSplit.HOLD_DOWN, 2, 6)
    began = world.network.now
    sides = some_sides(world, names)
    world.traffic(40.0, 0.008, keys, BUSY)
    for _ in range(4):
        world.network.split(*sides)
        world.run(world.random.choice([0.5, 2.0, 4.0]))
        world.network.heal()
        world.run(world.random.choice([0.5, 2.0]))
    world.settle(HEALED_WITHIN)
    agree(world)
    more = BURST + RATE * (world.network.now - began)
    for key in keys:
        each_interval(world, key, BUSY, extra=more * (len(sides) - 1), since=began)


def held_kill(seed: int) -> None:
    """One is killed: the others serve their part for 10 s, and then the whole again."""
    world, names, keys = counting(seed, OnSplit.HOLD_DOWN, 2, 6)
    began = world.network.now
    world.traffic(8.0, 0.01, keys, BUSY)
    world.run(1.0)
    victim = world.random.choice(names)
    lost = {key: decided_by(world, key, victim, SYNC) for key in keys}
    world.crash(victim)
    world.run(5.0)
    others = world.running
    part = (len(names) - 1, len(names))
    assert all(it.cluster.side.part == part for it in others), world.say(said(others))
    agree(world)
    for key in keys:
        each_interval(world, key, BUSY, extra=lost[key] + LATE, since=began)


HOLD_DOWNS: Final[tuple[Callable[[int], object], ...]] = (hold_down, flapping, held_kill)
