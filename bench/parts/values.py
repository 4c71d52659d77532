"""Part values: what checks have of a sidecar whose cache is busy, and of one whose isn't.

Who makes the values needs the CPU too, which says nothing about waiting behind them. So the target
compares with the same work at another sidecar of the machine.
"""

from __future__ import annotations

from contextlib import asynccontextmanager, contextmanager
from signal import SIGCONT, SIGSTOP
from typing import TYPE_CHECKING, Final

from bench.contenders.contender import Contender, charge_all, python_contender
from bench.lab.processes import python, running
from bench.lab.sidecars import BUDGET, sidecar
from bench.plan import KEYS, LIMIT, key_names
from bench.rounds import measure_rounds
from sidegate import Client, Source

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import AsyncGenerator, Callable, Generator
    from pathlib import Path

    from bench.lab.load import Point
    from bench.lab.sidecars import Sidecar
    from bench.plan import Plan
    from bench.results import Results
    from sidegate import Decision

PART: Final = "values"
IN_FLIGHT: Final = (1, 16, 64)
IDLE: Final = "checks, cache idle"
BUSY: Final = "checks, cache busy"
ELSEWHERE: Final = "checks, another sidecar's cache busy"


async def measure(plan: Plan, results: Results, folder: Path, tell: Callable[[str], None]) -> None:
    """Measure the same checks with and without values beside them, in turn."""
    async with _contenders(folder) as contenders:
        await measure_rounds(PART, contenders, IN_FLIGHT, plan, results, tell)


@asynccontextmanager
async def _contenders(folder: Path) -> AsyncGenerator[list[Contender]]:
    async with (
        sidecar(folder, "values") as near,
        sidecar(folder, "elsewhere") as other,
        Client(near.address, budget=BUDGET, lease=False) as client,
    ):
        keys = list(key_names(KEYS))

        def ask(key: str) -> Future[Decision]:
            return client.check(key, LIMIT)

        await charge_all(ask, keys)
        idle = python_contender(
            IDLE, "sidegate.Client, unix socket", ask, lambda it: it.source is Source.OWNER, keys
        )
        note = "the same, beside 500 values of 16 KiB and 10 of 1 MB, there and back, a second"
        also = "the same, while another sidecar on this machine has these values: their CPU alone"
        with (
            _beside(BUSY, note, idle, near, folder) as busy,
            _beside(ELSEWHERE, also, idle, other, folder) as elsewhere,
        ):
            yield [idle, busy, elsewhere]


@contextmanager
def _beside(
    name: str, note: str, idle: Contender, of: Sidecar, folder: Path
) -> Generator[Contender]:
    """Offer the checks beside the values of a sidecar; between two measures these stand still."""
    with running(
        python("bench.lab.value_load", of.address), folder / f"{of.name}-load.log"
    ) as load:
        load.send_signal(SIGSTOP)

        async def measure(in_flight: int, seconds: float) -> Point:
            load.send_signal(SIGCONT)
            try:
                return await idle.measure(in_flight, seconds)
            finally:
                load.send_signal(SIGSTOP)

        try:
            yield Contender(name, note, measure)
        finally:
            load.send_signal(SIGCONT)
