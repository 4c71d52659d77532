"""What it costs an owner to keep a backup: the same load with a second node and without one."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from itertools import islice
from typing import TYPE_CHECKING, Final

from bench.contender import Contender, charge_all, python_contender
from bench.fleet import fleet
from bench.plan import BACKED_UP_IN_FLIGHT, KEYS, LIMIT, key_names
from bench.rounds import measure_rounds
from bench.sidecars import BUDGET, Sidecar, sidecar
from sidegate import Client, Source
from sidegate_ring.hashring import Ring

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
    from pathlib import Path

    from bench.plan import Plan
    from bench.results import Results
    from sidegate import Decision

PART: Final = "backup"
ALONE: Final = "sidegate, alone"
BACKED_UP: Final = "sidegate, backed up"

_NODES: Final = ("owner", "backup")
_NOTE: Final = "sidegate.Client on uvloop, unix socket to the owner of all keys, which "
_NOTES: Final = {
    ALONE: f"{_NOTE}has nobody to back up to, and so needn't look up keys on the ring either",
    BACKED_UP: f"{_NOTE}sends each charged bucket to the second node (TCP) within 100 ms; that one "
    "shares the cores too",
}


async def measure(plan: Plan, results: Results, folder: Path, tell: Callable[[str], None]) -> None:
    """Measure both at each point, one after the other, with the same keys."""
    async with AsyncExitStack() as stack:
        contenders = [
            await stack.enter_async_context(opened(folder)) for opened in (_alone, _backed_up)
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
        _contender(BACKED_UP, nodes.nodes[_NODES[0]]) as contender,
    ):
        yield contender


@asynccontextmanager
async def _contender(name: str, owner: Sidecar) -> AsyncGenerator[Contender]:
    async with Client(owner.address, budget=BUDGET) as client:

        def ask(key: str) -> Awaitable[Decision]:
            return client.check(key, LIMIT)

        def allowed(decision: Decision) -> bool:
            its_own = decision.source is Source.OWNER and decision.node == owner.name
            return decision.allowed and its_own

        keys = _keys()
        await charge_all(ask, keys)
        yield python_contender(name, _NOTES[name], ask, allowed, keys)


def _keys() -> Sequence[str]:
    """Return as many keys as other contenders have, all of the node that has a backup."""
    ring = Ring(_NODES)
    owned = (key for key in key_names(4 * KEYS) if ring.owner(key) == _NODES[0])
    return list(islice(owned, KEYS))
