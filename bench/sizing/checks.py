"""What a check costs a sidecar in CPU: one that decides, one that forwards, one that backs up."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

from bench.contenders.contender import Contender, charge_all, python_contender
from bench.lab.fleet import fleet
from bench.lab.sidecars import BUDGET, Sidecar
from bench.lab.usage import cpu_ns
from bench.plan import KEYS, LIMIT, key_names, rotated
from sidegate import Client, Source
from sidegate_ring.hashring import Ring

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path

    from bench.plan import Plan
    from bench.results import Results
    from sidegate import Decision

PART: Final = "sizing, checks"
IN_FLIGHT: Final = (1, 64, 256)
LONE: Final = "decides, nobody to back up to"
DECIDES: Final = "decides, and is backed up"
BACKS_UP: Final = "backs that one up"
FORWARDS: Final = "forwards to another"
FORWARDED_TO: Final = "decides what is forwarded to it"

_NAMES: Final = ("n1", "n2", "n3")
_NOTE: Final = (
    "CPU time, user and system, of each process, over the checks made. One sidecar alone, and a "
    "ring of three; an app has so many checks in flight at the unix socket of n1, on keys that n1 "
    "owns and n2 backs up, or on keys that n2 owns and n3 backs up. The more checks come at once, "
    "the more of them share a message"
)


@dataclass(frozen=True, slots=True)
class Setup:
    """A load, how many checks it has made so far, and the process to look at for each role."""

    contender: Contender
    made: Callable[[], int]
    roles: dict[str, Sidecar]


async def measure(plan: Plan, results: Results, folder: Path, tell: Callable[[str], None]) -> None:
    """Measure each load at each point, one after the other."""
    results.notes[PART] = _NOTE
    async with AsyncExitStack() as stack:
        setups = await _open(stack, folder)
        for round_ in range(plan.rounds):
            for in_flight in IN_FLIGHT:
                for setup in rotated(setups, round_):
                    tell(f"round {round_ + 1}, {in_flight} in flight: {setup.contender.name}")
                    figures = await _point(setup, in_flight, plan)
                    for role, micros in figures.items():
                        results.add(PART, role, str(in_flight), round_, micros=micros)


async def _point(setup: Setup, in_flight: int, plan: Plan) -> dict[str, float]:
    """Return the µs of CPU that a check costs each role."""
    await setup.contender.measure(in_flight, plan.warm_up)
    made = setup.made()
    before = {role: cpu_ns(node.pid) for role, node in setup.roles.items()}
    await setup.contender.measure(in_flight, plan.seconds / 2)  # CPU varies less than latency
    spent = {role: cpu_ns(node.pid) - before[role] for role, node in setup.roles.items()}
    checks = setup.made() - made
    return {role: ns / 1e3 / checks for role, ns in spent.items()}


async def _open(stack: AsyncExitStack, folder: Path) -> list[Setup]:
    alone = (await stack.enter_async_context(fleet(folder, "alone"))).nodes["alone"]
    nodes = (await stack.enter_async_context(fleet(folder, *_NAMES))).nodes
    n1, n2, _ = _NAMES
    roles = {DECIDES: nodes[n1], BACKS_UP: nodes[n2]}
    forwarding = {FORWARDS: nodes[n1], FORWARDED_TO: nodes[n2]}
    return [
        await _setup(stack, alone, {LONE: alone}, list(key_names(KEYS))),
        await _setup(stack, nodes[n1], roles, _keys_of(n1, n2)),
        await _setup(stack, nodes[n1], forwarding, _keys_of(*_NAMES[1:])),
    ]


async def _setup(
    stack: AsyncExitStack, asked: Sidecar, roles: dict[str, Sidecar], keys: Sequence[str]
) -> Setup:
    client = await stack.enter_async_context(Client(asked.address, budget=BUDGET, lease=False))
    made = 0
    name = " / ".join(roles)

    def ask(key: str) -> Awaitable[Decision]:
        nonlocal made
        made += 1
        return client.check(key, LIMIT)

    await charge_all(ask, keys)
    return Setup(python_contender(name, _NOTE, ask, _allowed, keys), lambda: made, roles)


def _allowed(decision: Decision) -> bool:
    return decision.allowed and decision.source is Source.OWNER


def _keys_of(owner: str, backup: str) -> Sequence[str]:
    """Return as many keys as other parts have, all of one owner and one backup."""
    ring = Ring(_NAMES)
    held = (key for key in key_names(20 * KEYS) if ring.owners(key, 2) == (owner, backup))
    return list(islice(held, KEYS))
