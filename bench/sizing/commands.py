"""What hooks and probes cost: to start, alone or to join three; to leave; to ask if it is well."""

from __future__ import annotations

import time
from asyncio import to_thread
from typing import TYPE_CHECKING, Final

import httpx2

from bench.lab.fleet import Fleet, fleet
from bench.lab.processes import PATIENCE, python
from bench.lab.usage import Ran, cpu_ns, memory_of, ran

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bench.lab.sidecars import Sidecar
    from bench.plan import Plan
    from bench.results import Results

PART: Final = "sizing, commands"
PROBES: Final = "sizing, probes"
SETTING: Final = "once"
ALONE: Final = "sidegate serve, until ready, alone"
JOINING: Final = "sidegate serve, until ready, joining 3"
IDLE: Final = "idle, after these"
HEALTH: Final = "sidegate health"
LEAVE: Final = "sidegate leave, of one of 4"
READY: Final = "GET /readyz"
SCRAPE: Final = "GET /metrics"

_NAMES: Final = ("n1", "n2", "n3")
_FOURTH: Final = "n4"
_REQUESTS: Final = 50
_NOTE: Final = (
    "each a process of its own, from its start to its end, or to the first 200 of /readyz (asked "
    "every 20 ms); the nodes hold no keys. CPU: user and system. Of the GETs: what one of "
    f"{_REQUESTS} over one connection costs the sidecar, and its RSS when all were answered"
)


async def measure(plan: Plan, results: Results, folder: Path, tell: Callable[[str], None]) -> None:
    """Start, ask and stop a node alone, then a fourth one beside three."""
    results.notes[PART] = _NOTE
    for round_ in range(plan.rounds):
        tell(f"round {round_ + 1}: alone")
        async with fleet(folder) as nodes:
            await _start(nodes, "alone", ALONE, results, round_)
            await _ask(nodes.nodes["alone"], results, round_)
    async with fleet(folder, *_NAMES) as nodes:
        for round_ in range(plan.rounds):
            tell(f"round {round_ + 1}: a fourth")
            await _start(nodes, _FOURTH, JOINING, results, round_)
            await nodes.whole()
            leave = _command("leave", nodes.nodes[_FOURTH])
            _add(results, LEAVE, round_, await to_thread(ran, leave))
            await nodes.stop(_FOURTH)
            await nodes.whole()


async def _start(nodes: Fleet, name: str, row: str, results: Results, round_: int) -> None:
    began = time.perf_counter()
    node = await nodes.launch(name)
    await nodes.ready(name)
    wall_ms = (time.perf_counter() - began) * 1e3
    started = Ran(cpu_ns(node.pid) / 1e6, wall_ms, memory_of(node.pid).peak)
    _add(results, row, round_, started)


async def _ask(node: Sidecar, results: Results, round_: int) -> None:
    _add(results, HEALTH, round_, await to_thread(ran, _command("health", node)))
    for row, path in ((READY, "/readyz"), (SCRAPE, "/metrics")):
        cpu_ms, wall_ms = await _get(node, path)
        results.add(PROBES, row, SETTING, round_, cpu_ms=cpu_ms, wall_ms=wall_ms)
    results.add(PROBES, IDLE, SETTING, round_, resident=memory_of(node.pid).resident)


async def _get(node: Sidecar, path: str) -> tuple[float, float]:
    """Return the CPU of the sidecar and the time for one request, of many, in ms."""
    async with httpx2.AsyncClient(timeout=PATIENCE, trust_env=False) as http:
        url = f"http://{node.http}{path}"
        (await http.get(url)).raise_for_status()
        before, began = cpu_ns(node.pid), time.perf_counter()
        for _ in range(_REQUESTS):
            (await http.get(url)).raise_for_status()
        wall_ms = (time.perf_counter() - began) * 1e3
        return (cpu_ns(node.pid) - before) / 1e6 / _REQUESTS, wall_ms / _REQUESTS


def _command(name: str, node: Sidecar) -> list[str]:
    return python("sidegate_sidecar", name, "--http", node.http)


def _add(results: Results, row: str, round_: int, it: Ran) -> None:
    figures = {"cpu_ms": it.cpu_ms, "wall_ms": it.wall_ms, "peak": it.peak}
    results.add(PART, row, SETTING, round_, **figures)
