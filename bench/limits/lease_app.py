"""An app that asks about one key as fast as it can: `ADDRESS KEY LIMIT START SECONDS`.

It begins at a moment of the monotonic clock, as others do, and prints what became of its checks.
Each worker yields now and then, as a handler of requests does.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from time import monotonic, perf_counter_ns
from typing import Final

import uvloop

from bench.lab.load import quantile
from bench.lab.sidecars import BUDGET
from sidegate import Client
from sidegate.buckets.limits import parse_limits

_WORKERS: Final = 16
_IN_A_TURN: Final = 4  # checks of each worker
SETTLED: Final = 1.0  # seconds: by then the burst is spent, and the rate is all that is left


async def _ask(client: Client, key: str, text: str, begins: float, ends: float) -> dict[str, float]:
    limits, counts = parse_limits(text), Counter[str]()
    latencies: list[int] = []
    settled, first = begins + SETTLED, monotonic()

    async def work() -> None:
        while (now := monotonic()) < ends:
            for _ in range(_IN_A_TURN):
                began = perf_counter_ns()
                decision = await client.check(key, limits)
                took = perf_counter_ns() - began
                counts["checks"] += 1
                if decision.allowed:
                    counts["allowed"] += 1
                    counts[decision.source.value] += 1
                    if now >= settled:
                        latencies.append(took)
            await asyncio.sleep(0)

    await asyncio.gather(*(work() for _ in range(_WORKERS)))
    ascending = sorted(latencies) or [0]
    said = {"first": first, "last": monotonic(), **counts}
    return {**said, "p50": quantile(ascending, 0.50), "p99": quantile(ascending, 0.99)}


async def _run(address: str, key: str, limits: str, begins: float, seconds: float) -> None:
    async with Client(address, budget=BUDGET) as client:
        await client.connect()
        await asyncio.sleep(begins - time.monotonic())
        print(json.dumps(await _ask(client, key, limits, begins, begins + seconds)))


if __name__ == "__main__":
    ADDRESS, KEY, LIMITS, BEGINS, SECONDS = sys.argv[1:]
    uvloop.run(_run(ADDRESS, KEY, LIMITS, float(BEGINS), float(SECONDS)))
