"""An app with a cache, as a process: many tasks ask for one value, and it prints what they got.

Arguments: the address of its sidecar, the key, a file that each load adds our process id to, and
how many tasks there are. A load takes until a line comes in on stdin.
"""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from sidegate import Cache


async def main(address: str, key: str, loads: Path, tasks: int) -> None:
    """Ask."""

    async def load() -> dict[str, Any]:
        with loads.open("a") as file:
            file.write(f"{os.getpid()}\n")
        await asyncio.to_thread(sys.stdin.readline)
        return {"by": os.getpid()}

    async with Cache("users", ttl="1h", lease="60s", budget=20, sidecar=address) as cache:
        values = await asyncio.gather(*(cache.get_or_set(key, load) for _ in range(tasks)))
    sys.stdout.write(json.dumps([len(values), *{value["by"] for value in values}]) + "\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4])))
