"""What a member costs that nobody asks: CPU, messages and links, by the size of its cluster."""

from __future__ import annotations

import os
import time
from statistics import median
from typing import TYPE_CHECKING, Final

from bench.lab.gauges import gauges
from bench.lab.mesh import LEAF, OWNER, Mesh, mesh
from bench.lab.usage import memory_of, used_a_second

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bench.lab.sidecars import Sidecar
    from bench.plan import Plan
    from bench.results import Results

PART: Final = "sizing, idle members"
SETTING: Final = "idle"
SIZES: Final = (1, 3, 10, 30, 100)
OWNERS: Final = 3  # of the cluster that has leaves

_MEMBERS_A_CORE: Final = 16
_SETTLE_LOOK: Final = 2.0  # seconds
_SETTLE_WITHIN: Final = 25.0  # seconds from nine times the usual pause between two pings to it
_USUAL_WRITES: Final = 3.0  # a second; two pings and two answers are usual
_NOTE: Final = (
    "real sidecars on loopback, all of which see each other up; medians over them. A message is a "
    "write(2); bytes are what was written, without headers (66 a message on Ethernet); "
    "as much is read. Connections: dialled and accepted. No cluster here is larger than "
    f"{_MEMBERS_A_CORE} for each core of this machine; `make simulate` counts the messages of "
    "clusters of 10, 100 and 500 nodes"
)


async def measure(plan: Plan, results: Results, folder: Path, tell: Callable[[str], None]) -> None:
    """Let a cluster of owners grow, then make one of a few owners and many leaves."""
    results.notes[PART] = _NOTE
    sizes = [size for size in SIZES if size <= min(plan.members, _members_here())]
    async with mesh(folder) as nodes:
        for size in sizes:
            tell(f"{size} owners")
            await nodes.grow(size, OWNER)
            await _look(nodes, f"an owner of {size}", nodes.nodes, plan, results)
    if (most := sizes[-1]) > OWNERS:
        leaves = most - OWNERS
        async with mesh(folder) as nodes:
            tell(f"{OWNERS} owners, {leaves} leaves")
            await nodes.grow(OWNERS, OWNER)
            await nodes.grow(most, LEAF)
            those = nodes.nodes[OWNERS:]
            await _look(nodes, f"a leaf, {leaves} at {OWNERS} owners", those, plan, results)


async def _look(nodes: Mesh, name: str, those: list[Sidecar], plan: Plan, results: Results) -> None:
    await _settled(those)
    held = await gauges(nodes.http, those[0])
    steady = {
        "connections": held["sidegate_connections"] + held['sidegate_links{state="up"}'],
        "resident": median(memory_of(node.pid).resident for node in those),
    }
    for round_ in range(plan.rounds):
        figures = await used_a_second([node.pid for node in those], plan.idle / plan.rounds)
        results.add(PART, name, SETTING, round_, **figures, **steady)


async def _settled(those: list[Sidecar]) -> None:
    """Wait until they ping as often as they should, or for as long as they may take to.

    Who had to wait for the cores while so many started takes itself for slow, and pings less.
    """
    pids = [node.pid for node in those]
    deadline = time.monotonic() + _SETTLE_WITHIN
    while len(those) > 1 and time.monotonic() < deadline:
        if (await used_a_second(pids, _SETTLE_LOOK))["writes"] >= _USUAL_WRITES:
            return


def _members_here() -> int:
    return _MEMBERS_A_CORE * (os.cpu_count() or 1)
