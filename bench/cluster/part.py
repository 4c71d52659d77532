"""Part (f): a cluster that lives. Cost of backup, handover, roll and failover."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bench.cluster import backup, failover, handover, loss, roll
from bench.results import VoidError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bench.plan import Plan
    from bench.results import Results

PART: Final = "cluster"


async def measure(plan: Plan, results: Results, folder: Path, tell: Callable[[str], None]) -> None:
    """Measure one after the other; one that has to be thrown away leaves the others."""
    for piece in (backup, handover, roll, failover, loss):

        def tell_of(step: str, part: str = piece.PART) -> None:
            tell(f"{part}, {step}")

        try:
            await piece.measure(plan, results, folder, tell_of)
        except VoidError as reason:
            results.void[piece.PART] = str(reason)
