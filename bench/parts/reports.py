"""What it costs a sidecar to count for reports, and its checks to have reports asked for."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import httpx2

from bench.contenders.owned import keys_of, owned_by
from bench.lab.sidecars import BUDGET, Sidecar, sidecar
from bench.rounds import measure_rounds
from sidegate import Client

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from pathlib import Path

    from bench.contenders.contender import Contender
    from bench.lab.load import Point
    from bench.plan import Plan
    from bench.results import Results

PART: Final = "reports"
WITHOUT: Final = "sidegate, no reports"
WITH: Final = "sidegate, reports"
ASKED: Final = "sidegate, a report each 100 ms"
IN_FLIGHT: Final = (256,)

_EVERY: Final = 0.1  # seconds
_NOTE: Final = "sidegate.Client on uvloop, unix socket to the owner of all keys, "
_NOTES: Final = {
    WITHOUT: f"{_NOTE}with --report-rules 0",
    WITH: f"{_NOTE}which counts each check",
    ASKED: f"{_NOTE}asked for the report of its keys ten times a second",
}


async def measure(plan: Plan, results: Results, folder: Path, tell: Callable[[str], None]) -> None:
    """Measure all at each point, one after the other, with as many keys."""
    async with AsyncExitStack() as stack:
        off, on = [
            await stack.enter_async_context(sidecar(folder, name, **options))
            for name, options in (("off", {"report_rules": 0}), ("on", {}))
        ]
        contenders = [
            await stack.enter_async_context(_contender(name, node))
            for name, node in ((WITHOUT, off), (WITH, on))
        ]
        asked = _while_asked(await stack.enter_async_context(_contender(ASKED, on)), on)
        await measure_rounds(PART, [*contenders, asked], IN_FLIGHT, plan, results, tell)


def _while_asked(contender: Contender, node: Sidecar) -> Contender:
    async def measure_it(in_flight: int, seconds: float) -> Point:
        async with _asking(node):
            return await contender.measure(in_flight, seconds)

    return replace(contender, measure=measure_it)


@asynccontextmanager
async def _contender(name: str, owner: Sidecar) -> AsyncGenerator[Contender]:
    async with Client(owner.address, budget=BUDGET) as client:
        keys = keys_of(owner.name, [owner.name])
        yield await owned_by(owner.name, client, keys, name, _NOTES[name])


@asynccontextmanager
async def _asking(node: Sidecar) -> AsyncGenerator[None]:
    """Ask for reports meanwhile."""

    async def ask() -> None:
        async with httpx2.AsyncClient(timeout=BUDGET) as http:
            while True:
                answer = await http.get(f"http://{node.http}/v1/report")
                answer.raise_for_status()
                await asyncio.sleep(_EVERY)

    asking = asyncio.create_task(ask())
    try:
        yield
    finally:
        asking.cancel()
        with suppress(asyncio.CancelledError):
            await asking
