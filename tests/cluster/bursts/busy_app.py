"""An app that asks about one key for as long as it is told: `ADDRESS KEY LIMIT SECONDS`.

It waits until its standard input ends, so that several begin together, and prints how many checks
were allowed by whom, and between which moments of the monotonic clock.
"""

import asyncio
import json
import os
import sys
from collections import Counter
from time import monotonic

import uvloop

from sidegate.client.client import Client


async def main(address: str, key: str, limit: str, seconds: float) -> None:
    """Ask, and print what came of it."""
    async with Client(address, budget=10.0) as client:
        await client.connect()
        os.write(1, b"ready\n")
        await asyncio.to_thread(sys.stdin.read)
        allowed: Counter[str] = Counter()
        began = monotonic()

        async def ask() -> None:
            while monotonic() < began + seconds:
                decision = await client.check(key, limit)
                allowed[decision.source] += decision.allowed
                await asyncio.sleep(0)

        await asyncio.gather(*(ask() for _ in range(8)))
        told = {"began": began, "ended": monotonic(), "allowed": allowed}
        os.write(1, json.dumps(told).encode())


if __name__ == "__main__":
    ADDRESS, KEY, LIMIT, SECONDS = sys.argv[1:]
    uvloop.run(main(ADDRESS, KEY, LIMIT, float(SECONDS)))
