"""A fleet for real: leaves join ten owners in waves, until there are enough or no more fit."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from enum import Enum
from itertools import count
from statistics import median
from typing import TYPE_CHECKING, Final

import httpx2

from bench.lab.gauges import gauges
from bench.lab.mesh import LEAF, OWNER, Mesh, mesh
from bench.lab.sidecars import BUDGET, require
from bench.lab.usage import MIB, available_memory, memory_of, used_a_second
from bench.plan import LIMIT
from bench.results import VoidError
from sidegate import Client, Source

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from bench.lab.sidecars import Sidecar
    from bench.plan import Plan
    from bench.results import Results

PART: Final = "fleet"
SETTING: Final = "at rest"
OWNERS: Final = 10
AN_OWNER: Final = "an owner"
A_LEAF: Final = "a leaf"
ALL: Final = "all"

FLOOR: Final = 3 << 30  # bytes that are left to the rest of the machine
WAVE: Final = 20  # leaves
LEAF_BYTES: Final = 40 * MIB  # more than one has taken right after its start

_WAVE_WITHIN: Final = 90.0  # seconds for a wave to join
_GROW_WITHIN: Final = 1_500.0  # seconds for all of them: a minute for each
_LOOK_EVERY: Final = 0.5  # seconds between two looks at all owners: a scrape of each
_SETTLE_LOOK: Final = 2.0  # seconds
_SETTLE_WITHIN: Final = 30.0
_USUAL_WRITES: Final = 1.8  # a second; two pings are usual, and who started under load pings less
_ASKED: Final = 20  # leaves
_CHECKS: Final = 50  # through each of them, one after the other
_NOTE: Final = (
    "real sidecars on loopback: ten owners, then leaves in waves of {wave}. A wave has joined when "
    "each of it is linked to all owners and has their ring, and each owner sees all others alive. "
    "Medians over processes; a message is a write(2). Checks are asked one after the other "
    "through {asked} leaves, on keys of their own. It ended with {size} leaves because {why}"
)


class End(Enum):
    """Why a fleet grows no more."""

    COMPLETE = "that was all that was wanted"
    MEMORY = "more might have left this machine less than 3 GiB"
    TIME = "the time for all waves was over"
    JOIN = "the next wave didn't join in time"


async def measure(plan: Plan, results: Results, folder: Path, tell: Callable[[str], None]) -> None:
    """Grow once, however many rounds there are, and look at what came to be."""
    async with mesh(folder) as nodes:
        tell(f"{OWNERS} owners")
        await _start_owners(nodes)
        began = time.perf_counter()
        end = await _grow(nodes, plan.leaves, tell)
        took = time.perf_counter() - began
        leaves = nodes.nodes[OWNERS:]
        results.notes[PART] = _NOTE.format(wave=WAVE, asked=_ASKED, size=len(leaves), why=end.value)
        tell(f"{len(leaves)} leaves, at rest")
        proportional = await _look(nodes, plan, results)
        tell(f"checks through {_ASKED} leaves")
        asked, decided = await _ask(spread(leaves, _ASKED))
        results.add(
            PART,
            ALL,
            SETTING,
            0,
            processes=len(nodes.nodes),
            wanted=OWNERS + plan.leaves,
            seconds=took,
            proportional=proportional,
            asked=asked,
            decided=decided,
        )


async def _start_owners(nodes: Mesh) -> None:
    # Not by `grow`, which asks nodes for a page that costs each 20 MiB from then on.
    await nodes.add(1, OWNER)
    await nodes.add(OWNERS - 1, OWNER)
    await _until_whole(nodes)


async def _grow(nodes: Mesh, wanted: int, tell: Callable[[str], None]) -> End:
    """Add waves; return why there are no more. One that doesn't join is taken away again."""
    deadline = time.monotonic() + _GROW_WITHIN
    while True:
        size = len(nodes.nodes)
        left = deadline - time.monotonic()
        wave = next_wave(wanted + OWNERS - size, available_memory(), left)
        if isinstance(wave, End):
            return wave
        tell(f"{size - OWNERS} leaves have joined, {wave} more start")
        try:
            async with asyncio.timeout(_WAVE_WITHIN):
                await _join(nodes, wave)
        except (TimeoutError, VoidError):
            nodes.kill(keep=size)
            with suppress(VoidError):  # that these are a fleet was seen before the wave
                await _until_whole(nodes)
            return End.JOIN


async def _join(nodes: Mesh, wave: int) -> None:
    await nodes.add(wave, LEAF, _WAVE_WITHIN)
    await _until_whole(nodes, wave)


async def _until_whole(nodes: Mesh, newest: int = 0) -> None:
    """Wait until owners see all, and the newest see owners; older leaves aren't asked again."""
    await require(
        lambda: _is_whole(nodes, newest),
        "the fleet isn't whole",
        within=_WAVE_WITHIN,
        look_every=_LOOK_EVERY,
    )


def next_wave(missing: int, available: int, seconds: float) -> int | End:
    """Return how many leaves to start, or why none.

    `available` are the bytes that the machine has, `seconds` the time that is left.
    """
    if missing <= 0:
        return End.COMPLETE
    wave = min(WAVE, missing)
    if available - wave * LEAF_BYTES < FLOOR:
        return End.MEMORY
    return wave if seconds > 0 else End.TIME


async def _is_whole(nodes: Mesh, newest: int) -> bool:
    size = len(nodes.nodes)
    for node in (*nodes.nodes[:OWNERS], *nodes.nodes[size - newest :]):
        links = OWNERS if nodes.roles[node.name] == LEAF else size - 1
        with suppress(httpx2.TransportError):  # it is too busy to answer
            if is_joined(await gauges(nodes.http, node), links):
                continue
        return False
    return True


def is_joined(series: Mapping[str, float], others: int) -> bool:
    """Say by its metrics whether a node holds the ring of all owners and has all others."""
    return (
        series["sidegate_ring_nodes"] == OWNERS
        and series['sidegate_members{state="alive"}'] == others
        and series['sidegate_links{state="up"}'] >= others
    )


def spread(nodes: Sequence[Sidecar], most: int) -> Sequence[Sidecar]:
    """Return so many at most, evenly from first to last."""
    some = min(most, len(nodes))
    return [nodes[number * len(nodes) // some] for number in range(some)]


async def _look(nodes: Mesh, plan: Plan, results: Results) -> float:
    """Keep what owners and leaves take at rest; return the memory of all, in bytes."""
    total = 0.0
    groups = {AN_OWNER: nodes.nodes[:OWNERS], A_LEAF: nodes.nodes[OWNERS:]}
    pids = {name: [node.pid for node in those] for name, those in groups.items() if those}
    await _settled(pids.get(A_LEAF, []))
    for name, those in pids.items():
        used = await used_a_second(those, plan.idle)
        memories = [memory_of(pid) for pid in those]
        total += sum(it.proportional for it in memories)
        figures = {
            "resident": median(it.resident for it in memories),
            "proportional": median(it.proportional for it in memories),
        }
        results.add(PART, name, SETTING, 0, **used, **figures)
    return total


async def _settled(leaves: list[int]) -> None:
    """Wait until leaves ping as often as they should, or for as long as they may take to."""
    deadline = time.monotonic() + _SETTLE_WITHIN
    while leaves and time.monotonic() < deadline:
        if (await used_a_second(leaves, _SETTLE_LOOK))["writes"] >= _USUAL_WRITES:
            return


async def _ask(leaves: Sequence[Sidecar]) -> tuple[int, int]:
    """Return how many checks were made through leaves, and how many of them an owner allowed."""
    numbers, decided = count(), 0
    for leaf in leaves:
        async with Client(leaf.address, budget=BUDGET, lease=False) as client:
            for _ in range(_CHECKS):
                decision = await client.check(f"fleet:{next(numbers)}", LIMIT)
                decided += decision.allowed and decision.source is Source.OWNER
    return _CHECKS * len(leaves), decided
