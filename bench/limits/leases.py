"""Part leases: one key of three sidecars, asked by an app beside each as fast as they can.

What is let through in so many seconds is at most the burst and what the rate brings, and hardly
less.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Final

from bench.lab.fleet import fleet
from bench.lab.processes import output_of, python
from bench.limits.lease_app import SETTLED
from bench.results import VoidError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bench.plan import Plan
    from bench.results import Results

PART: Final = "leases"
OURS: Final = "sidegate, three apps"
RATE: Final = 10_000
LIMIT: Final = f"{RATE}/second"
_STARTING: Final = 3.0  # seconds until all apps are connected
_NOTE: Final = (
    f"three sidecars, an app process beside each, all ask about one key by {LIMIT}, 16 in flight;"
    f" latencies of allowed checks from {SETTLED:g} s on, when the burst is spent"
)


async def measure(plan: Plan, results: Results, folder: Path, tell: Callable[[str], None]) -> None:
    """Ask about another key in each round."""
    results.notes[OURS] = _NOTE
    seconds = max(5 * plan.seconds, 3.0)
    async with fleet(folder, *(f"leases{at}" for at in range(3))) as nodes:
        addresses = [node.address for node in nodes.nodes.values()]
        for round_ in range(plan.rounds):
            tell(f"round {round_ + 1}")
            results.add(PART, OURS, "3", round_, **await _round(addresses, f"k{round_}", seconds))


async def _round(addresses: list[str], key: str, seconds: float) -> dict[str, float]:
    begins = time.monotonic() + _STARTING
    commands = [
        python("bench.limits.lease_app", address, key, LIMIT, str(begins), str(seconds))
        for address in addresses
    ]
    told = await asyncio.gather(*map(output_of, commands))
    apps = [json.loads(line) for line in told]
    allowed = sum(app["allowed"] for app in apps)
    took = max(app["last"] for app in apps) - min(app["first"] for app in apps)
    bound = RATE + RATE * took
    if allowed > bound:
        raise VoidError(f"{allowed:,} were let through, and {bound:,.0f} may be")
    return {
        "admitted": allowed / bound,
        "leased": sum(app.get("lease", 0) for app in apps) / allowed,
        "rate": sum(app["checks"] for app in apps) / seconds,
        "overload": sum(app["checks"] for app in apps) / seconds / RATE,
        "p50": max(app["p50"] for app in apps),
        "p99": max(app["p99"] for app in apps),
    }
