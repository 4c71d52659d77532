"""A cold start for real: owners that all begin at the same time, and what it costs each of them."""

from __future__ import annotations

import time
from contextlib import suppress
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Final

import httpx2

from bench.lab.gauges import gauges
from bench.lab.mesh import OWNER, mesh
from bench.lab.sidecars import require
from bench.lab.usage import cpu_ns, used_a_second
from bench.results import VoidError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bench.lab.mesh import Mesh
    from bench.lab.sidecars import Sidecar
    from bench.plan import Plan
    from bench.results import Results

PART: Final = "cold"
AN_OWNER: Final = "an owner"

_WITHIN: Final = 400.0  # seconds until each sees all others
_LOOK_EVERY: Final = 1.0  # seconds between two looks at one of them
_NOTE: Final = (
    "real owners on loopback, begun one after the other without a pause; three of them are the "
    "seeds of all. CPU of each from its begin until the last one holds the ring of all and is "
    "linked to all, Python's start and what it takes at rest meanwhile included"
)


async def measure(plan: Plan, results: Results, folder: Path, tell: Callable[[str], None]) -> None:
    """Start them once, however many rounds there are: a quarter of them, a half, and all."""
    results.notes[PART] = _NOTE
    alone = await _alone(folder)
    for owners in (plan.owners // 4, plan.owners // 2, plan.owners):
        place = folder / f"{owners} owners"
        place.mkdir()
        try:
            await _start(owners, alone, plan.idle, results, place, tell)
        except VoidError as reason:
            results.void[f"{PART}, {owners} owners"] = f"{reason} within {_WITHIN:.0f} s"


async def _start(
    owners: int,
    alone: float,
    idle: float,
    results: Results,
    folder: Path,
    tell: Callable[[str], None],
) -> None:
    async with mesh(folder) as nodes:
        tell(f"{owners} owners at once")
        began = time.perf_counter()
        nodes.begin(owners, OWNER)
        await until_whole(nodes)
        took = time.perf_counter() - began
        spent = [cpu_ns(node.pid) / 1e9 for node in nodes.nodes]
        tell("at rest")
        rest = await used_a_second([node.pid for node in nodes.nodes], idle)
    results.add(
        PART,
        AN_OWNER,
        str(owners),
        0,
        seconds=took,
        cpu=median(spent),
        most=max(spent),
        alone=alone,
        rest=rest["cpu_ms"] / 1e3,
    )


async def _alone(folder: Path) -> float:
    """Return the seconds of CPU that one takes until it is ready, with nobody to meet."""
    place = folder / "alone"
    place.mkdir()
    async with mesh(place) as nodes:
        await nodes.add(1, OWNER)
        return cpu_ns(nodes.nodes[0].pid) / 1e9


async def until_whole(nodes: Mesh) -> None:
    """Wait for one after the other: each look costs the one that is looked at."""
    deadline = time.monotonic() + _WITHIN
    for node in nodes.nodes:
        await require(
            partial(_sees_all, nodes, node),
            f"{node.name} doesn't see all others",
            within=max(deadline - time.monotonic(), _LOOK_EVERY),
            look_every=_LOOK_EVERY,
        )


async def _sees_all(nodes: Mesh, node: Sidecar) -> bool:
    size = len(nodes.nodes)
    with suppress(httpx2.TransportError):  # it isn't up, or too busy to answer
        series = await gauges(nodes.http, node)
        linked = series['sidegate_links{state="up"}'] >= size - 1
        return linked and series["sidegate_ring_nodes"] == size
    return False
