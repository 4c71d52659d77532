"""A deploy: some of a limit is spent, all three nodes are replaced, and the rest is asked for."""

from __future__ import annotations

from itertools import cycle
from statistics import fmean
from typing import TYPE_CHECKING, Final

from bench.peers.asking.messages import PeerError, Rate
from bench.peers.scene import Scene
from bench.peers.systems import NODES
from sidegate import SidegateError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.peers.systems import System
    from bench.plan import Plan

_RATE: Final = Rate(10, 3_600)
_SPENT: Final = 4
_KEYS: Final = 30
_AFTER: Final = 4 * _RATE.tokens  # of each key; more than all nodes could give


async def _run(system: System, _plan: Plan) -> dict[str, float]:
    """Return how many were admitted of a limit of 10, before and after together."""
    keys = [f"{number}-customer" for number in range(_KEYS)]
    fronts = cycle(range(NODES))
    before = [await allowed_of(system, fronts, key, _SPENT) for key in keys]
    await system.replace()
    after = [await allowed_of(system, fronts, key, _AFTER) for key in keys]
    admitted = [first + then for first, then in zip(before, after, strict=True)]
    return {"mean": fmean(admitted), "most": max(admitted), "least": min(admitted)}


async def allowed_of(system: System, fronts: Iterator[int], key: str, asked: int) -> int:
    """Ask so often, one after the other, at nodes in turn; return how many were allowed."""
    allowed = 0
    for _ in range(asked):
        try:
            allowed += await system.ask(next(fronts), key)
        except (PeerError, SidegateError):
            continue  # nobody decided: none was admitted
    return allowed


DEPLOY: Final = Scene(
    title="3 nodes replaced, 4 of 10 spent",
    rate=_RATE,
    run=_run,
    note=f"{_KEYS} keys at 10/hour, {_SPENT} spent of each, then each node is replaced, by a new "
    f"one that joins first where nodes meet each other, else at its port; then {_AFTER} more are "
    "asked for, in turn at all three. Right is 10",
    columns={"mean": "admitted of 10, mean", "most": "most", "least": "least"},
)
