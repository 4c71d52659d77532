"""What it costs an owner to keep a backup: the same load with a second node and without one."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Final

from bench.contenders.owned import keys_of, owned_by
from bench.lab.fleet import fleet
from bench.lab.sidecars import BUDGET, Sidecar, sidecar
from bench.plan import BACKED_UP_IN_FLIGHT, LIMIT
from bench.rounds import measure_rounds
from sidegate import Client, Limits, parse_limits

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from pathlib import Path

    from bench.contenders.contender import Contender
    from bench.plan import Plan
    from bench.results import Results

PART: Final = "backup"
ALONE: Final = "sidegate, alone"
BACKED_UP: Final = "sidegate, backed up"
SYNCED: Final = "sidegate, backed up before it answers"

_OWNER: Final = "owner"
_NODES: Final = (_OWNER, "backup")
_NOTE: Final = "sidegate.Client on uvloop, unix socket to the owner of all keys, which "
_NOTES: Final = {
    ALONE: f"{_NOTE}has nobody to back up to, and so needn't look up keys on the ring either",
    BACKED_UP: f"{_NOTE}sends each charged bucket to the second node (TCP) within 100 ms; that one "
    "shares the cores too",
    SYNCED: f"{_NOTE}answers (`sync`) when the second node (TCP) has what it charged",
}


async def measure(plan: Plan, results: Results, folder: Path, tell: Callable[[str], None]) -> None:
    """Measure all at each point, one after the other, with the same keys."""
    async with AsyncExitStack() as stack:
        contenders = [
            await stack.enter_async_context(opened(folder))
            for opened in (_alone, _backed_up, _synced)
        ]
        await measure_rounds(PART, contenders, BACKED_UP_IN_FLIGHT, plan, results, tell)


@asynccontextmanager
async def _alone(folder: Path) -> AsyncGenerator[Contender]:
    async with sidecar(folder, "alone") as node, _contender(ALONE, node) as contender:
        yield contender


@asynccontextmanager
async def _backed_up(folder: Path) -> AsyncGenerator[Contender]:
    async with (
        fleet(folder, *_NODES) as nodes,
        _contender(BACKED_UP, nodes.nodes[_OWNER]) as contender,
    ):
        yield contender


@asynccontextmanager
async def _synced(folder: Path) -> AsyncGenerator[Contender]:
    beside = folder / "synced"
    beside.mkdir()
    async with (
        fleet(beside, *_NODES) as nodes,
        _contender(SYNCED, nodes.nodes[_OWNER], parse_limits(LIMIT).synced()) as contender,
    ):
        yield contender


@asynccontextmanager
async def _contender(
    name: str, owner: Sidecar, limits: str | Limits = LIMIT
) -> AsyncGenerator[Contender]:
    async with Client(owner.address, budget=BUDGET, lease=False) as client:
        keys = keys_of(_OWNER, _NODES)  # those of the one that has a backup
        yield await owned_by(owner.name, client, keys, name, _NOTES[name], limits)
