"""Part peers: decisions from Python by checks in flight, and the CPU that they take."""

from __future__ import annotations

import time
from contextlib import AsyncExitStack, nullcontext
from typing import TYPE_CHECKING, Final

from bench.contenders.echo import echo
from bench.lab.usage import cpu_ns
from bench.peers.asking.messages import PeerError
from bench.peers.contenders import OFFERS, Beside, open_peers
from bench.peers.pinned import on_one_core
from bench.plan import IN_FLIGHT, rotated
from bench.results import VoidError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bench.plan import Plan
    from bench.results import Results

PART: Final = "peers"
ONE_CORE: Final = "1, one core"
SETTINGS: Final = (ONE_CORE, *map(str, IN_FLIGHT))
_COUNTED: Final = 100_000  # decisions that CPU is told for


async def measure(plan: Plan, results: Results, folder: Path, tell: Callable[[str], None]) -> None:
    """Measure all at each point, one after the other, in the rounds of the plan."""
    async with AsyncExitStack() as stack:
        everyone = await open_peers(stack, folder, results, OFFERS)
        floor, pid = await stack.enter_async_context(echo(folder))
        everyone.append(Beside(floor, [pid]))
        for it in everyone:
            results.notes[it.contender.name] = it.contender.note
        for round_ in range(plan.rounds):
            for setting in SETTINGS:
                for it in rotated(everyone, round_):
                    name = it.contender.name
                    if name in results.void:
                        continue
                    tell(f"round {round_ + 1}, {setting} in flight: {name}")
                    try:
                        figures = await _point(it, setting, plan)
                    except (VoidError, PeerError) as reason:
                        results.void[name] = str(reason)
                    else:
                        results.add(PART, name, setting, round_, **figures)


async def _point(it: Beside, setting: str, plan: Plan) -> dict[str, float]:
    in_flight = int(setting.partition(",")[0])
    with on_one_core(it.pids) if setting == ONE_CORE else nullcontext():
        await it.contender.measure(in_flight, plan.warm_up)
        served, asked, began = _of_servers(it), time.process_time_ns(), time.perf_counter()
        point = await it.contender.measure(in_flight, plan.seconds)
        seconds = time.perf_counter() - began
        asked, served = time.process_time_ns() - asked, _of_servers(it) - served
    many = point.rate * seconds / _COUNTED
    return {
        "rate": point.rate,
        "p50": point.p50,
        "p99": point.p99,
        "client_cpu": asked / 1e9 / many,
        "server_cpu": served / 1e9 / many,
    }


def _of_servers(it: Beside) -> int:
    return sum(map(cpu_ns, it.pids))
