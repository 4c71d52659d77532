"""What a check of a quota takes beside one of a bucket, on the same sidecar."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bench.contenders.owned import keys_of, owned_by
from bench.lab.sidecars import BUDGET, sidecar
from bench.plan import LIMIT
from bench.rounds import measure_rounds
from sidegate import Client

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bench.plan import Plan
    from bench.results import Results

PART: Final = "quotas"
BUCKET: Final = "sidegate, a bucket"
QUOTA: Final = "sidegate, a quota"
BOTH: Final = "sidegate, a bucket and a quota"
TWO: Final = "sidegate, two buckets"
IN_FLIGHT: Final = (256,)

_LIMITS: Final = {
    BUCKET: LIMIT,
    QUOTA: f"{LIMIT} window Europe/Berlin",
    TWO: f"1000000/hour; {LIMIT}",
    BOTH: f"1000000/hour; {LIMIT} window Europe/Berlin",
}
_NOTE: Final = "sidegate.Client on uvloop, unix socket to the owner of all keys, "


async def measure(plan: Plan, results: Results, folder: Path, tell: Callable[[str], None]) -> None:
    """Measure all, one after the other, each with keys of its own."""
    async with (
        sidecar(folder, "quotas") as owner,
        Client(owner.address, budget=BUDGET, lease=False) as client,
    ):
        keys = keys_of(owner.name, [owner.name])
        contenders = [
            await owned_by(owner.name, client, keys, name, f"{_NOTE}{limit}", limit)
            for name, limit in _LIMITS.items()
        ]
        await measure_rounds(PART, contenders, IN_FLIGHT, plan, results, tell)
