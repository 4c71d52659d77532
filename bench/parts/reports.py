"""What it costs a sidecar to count for reports, and its checks to have reports asked for."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Final

from bench.contenders.owned import keys_of, owned_by
from bench.lab.processes import python, running
from bench.lab.sidecars import BUDGET, Sidecar, sidecar
from bench.results import VoidError
from bench.rounds import measure_rounds
from sidegate import Client

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from pathlib import Path

    from bench.contenders.contender import Contender
    from bench.plan import Plan
    from bench.results import Results

PART: Final = "reports"
WITHOUT: Final = "sidegate, no reports"
WITH: Final = "sidegate, reports"
ASKED: Final = "sidegate, a report each 100 ms"
IN_FLIGHT: Final = (256,)

_NOTE: Final = "sidegate.Client on uvloop, unix socket to the owner of all keys, "
_NOTES: Final = {
    WITHOUT: f"{_NOTE}with --report-rules 0",
    WITH: f"{_NOTE}which counts each check",
    ASKED: f"{_NOTE}asked for the report of its keys ten times a second",
}


async def measure(plan: Plan, results: Results, folder: Path, tell: Callable[[str], None]) -> None:
    """Measure all at each point, one after the other, each on a sidecar of its own."""
    async with AsyncExitStack() as stack:
        off, on, asked = [
            await stack.enter_async_context(sidecar(folder, name, **options))
            for name, options in (("off", {"report_rules": 0}), ("on", {}), ("asked", {}))
        ]
        contenders = [
            await stack.enter_async_context(_contender(name, node))
            for name, node in ((WITHOUT, off), (WITH, on), (ASKED, asked))
        ]
        command = python("bench.lab.report_asker", f"http://{asked.http}/v1/report")
        asker = stack.enter_context(running(command, folder / "asker.log"))
        await measure_rounds(PART, contenders, IN_FLIGHT, plan, results, tell)
        if asker.poll() is not None:
            raise VoidError("nobody asked for reports")


@asynccontextmanager
async def _contender(name: str, owner: Sidecar) -> AsyncGenerator[Contender]:
    async with Client(owner.address, budget=BUDGET, lease=False) as client:
        keys = keys_of(owner.name, [owner.name])
        yield await owned_by(owner.name, client, keys, name, _NOTES[name])
