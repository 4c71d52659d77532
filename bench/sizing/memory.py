"""What keys cost in memory: of a sidecar alone, and of each of two that back each other up."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from bench.contenders.contender import charge_all
from bench.lab.fleet import Fleet, fleet
from bench.lab.sidecars import BUDGET, require
from bench.lab.usage import memory_of
from bench.plan import HELD_LIMIT, key_names
from sidegate import Client

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    from bench.plan import Plan
    from bench.results import Results
    from sidegate import Decision
    from sidegate_ring.hashring import Ring

PART: Final = "sizing, memory"
ALONE: Final = "alone"
PAIR: Final = "one of two"

_STEPS: Final = (0, 10_000, 100_000, 1_000_000)
_MAX_OF_PAIR: Final = 100_000  # each holds all keys, its own and the other's: filling takes twice
_NAMES: Final = {ALONE: ("alone",), PAIR: ("one", "two")}
_BATCH: Final = 50_000  # names at a time
_NOTE: Final = (
    "`sidegate serve`, filled over its unix socket, each key charged once under one limit. One of "
    "two: it owns about half of the keys, and holds the others as a backup"
)


async def measure(plan: Plan, results: Results, folder: Path, tell: Callable[[str], None]) -> None:
    """Fill fresh processes in each round, and look at them on the way."""
    results.notes[PART] = _NOTE
    for round_ in range(plan.rounds):
        for contender, names in _NAMES.items():
            most = _MAX_OF_PAIR if contender == PAIR else plan.keys_held
            async with fleet(folder, *names) as nodes:
                await _fill(contender, nodes, most, results, round_, tell)


async def _fill(
    contender: str,
    nodes: Fleet,
    most: int,
    results: Results,
    round_: int,
    tell: Callable[[str], None],
) -> None:
    node = nodes.nodes[_NAMES[contender][0]]
    keys, held, at_rest = key_names(most), 0, 0
    async with Client(node.address, budget=BUDGET, lease=False) as client:
        await client.check("warm", HELD_LIMIT, 0)
        for step in (step for step in _STEPS if step <= most):
            tell(f"round {round_ + 1}: {contender}, {step:,} keys")
            await _charge(client, islice(keys, step - held))
            held = step
            await _until_held(nodes, step)
            memory = memory_of(node.pid)
            at_rest = at_rest or memory.resident
            figures = {
                "resident": memory.resident,
                "proportional": memory.proportional,
                "peak": memory.peak,
                "per_key": (memory.resident - at_rest) / max(step, 1),
                "owned": _owned(nodes.ring, node.name, step),
            }
            results.add(PART, contender, f"{step:,}", round_, **figures)


async def _charge(client: Client, keys: Iterator[str]) -> None:
    def charge(key: str) -> Awaitable[Decision]:
        return client.check(key, HELD_LIMIT)

    while some := list(islice(keys, _BATCH)):
        await charge_all(charge, some)


async def _until_held(nodes: Fleet, count: int) -> None:
    """Wait until each of the nodes holds all keys, as owner or as backup."""

    async def hold_all() -> bool:
        held = [(await nodes.look(node))["keys"] for node in nodes.nodes.values()]
        return held == [count] * len(held)

    await require(hold_all, f"the nodes don't hold {count:,} keys")


def _owned(ring: Ring, name: str, count: int) -> int:
    """Return how many of the first keys a node owns."""
    if len(ring) == 1:
        return count
    return sum(ring.owner(key) == name for key in key_names(count))
