"""A process that keeps the cache of a sidecar busy: values of 16 KiB at a pace, and large ones.

Arguments: the address of the sidecar. It runs until it is ended.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Final

import uvloop

from sidegate import Cache

MIDDLE: Final = b"x" * (16 << 10)
LARGE: Final = b"x" * (1_000_000)
KEYS: Final = 500
PAUSE: Final = 0.01  # seconds: 500 values a second, 8 MB
AT_ONCE: Final = 5
LARGE_EVERY: Final = 10  # pauses: 10 large ones a second, 10 MB


async def _main(address: str) -> None:
    async with Cache("bench", ttl="1h", budget=5.0, sidecar=address) as cache:
        for key in range(KEYS):
            await cache.set(key, MIDDLE)
        turn = 0
        while True:
            turn += 1
            first = turn * AT_ONCE
            asking = [cache.get((first + at) % KEYS) for at in range(AT_ONCE)]
            if turn % LARGE_EVERY == 0:
                asking.append(_large(cache))
            await asyncio.gather(*asking, asyncio.sleep(PAUSE))


async def _large(cache: Cache) -> None:
    await cache.set("large", LARGE)
    await cache.get("large")


if __name__ == "__main__":
    uvloop.run(_main(sys.argv[1]))
