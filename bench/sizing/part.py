"""Part (g): what an operator sizes a sidecar by. Memory, CPU, idle members, hooks and probes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bench.results import UnavailableError, VoidError
from bench.sizing import checks, commands, members, memory

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bench.plan import Plan
    from bench.results import Results

PART: Final = "sizing"


async def measure(plan: Plan, results: Results, folder: Path, tell: Callable[[str], None]) -> None:
    """Measure one after the other; one that has to be thrown away leaves the others."""
    for piece in (memory, checks, members, commands):

        def tell_of(step: str, part: str = piece.PART) -> None:
            tell(f"{part}, {step}")

        try:
            await piece.measure(plan, results, folder, tell_of)
        except UnavailableError as reason:
            results.skipped[piece.PART] = str(reason)
        except VoidError as reason:
            results.void[piece.PART] = str(reason)
