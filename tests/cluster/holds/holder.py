"""An app that holds a slot, as a process; it says when it has one, and when it is told to end.

Arguments: the address of its sidecar, the key, how many there are, and "loop" or "threads".
"""

import asyncio
import sys

from sidegate import BlockingClient, Client

LONG = 600.0  # seconds
BUDGET = 20.0


def say(text: str) -> None:
    """Tell the test."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


async def in_loop(address: str, key: str, at_most: int) -> None:
    """Hold one in an event loop, until a line comes in."""
    async with Client(address, budget=BUDGET, secret="") as client:
        async with client.slot(key, at_most, timeout=LONG) as got:
            say(got.source)
            await asyncio.to_thread(sys.stdin.readline)
        say("left")


def in_threads(address: str, key: str, at_most: int) -> None:
    """Hold one without a loop, until a line comes in."""
    with BlockingClient(address, budget=BUDGET, secret="") as client:
        with client.slot(key, at_most, timeout=LONG) as got:
            say(got.source)
            sys.stdin.readline()
        say("left")


if __name__ == "__main__":
    where, what, most, how = sys.argv[1:]
    if how == "loop":
        asyncio.run(in_loop(where, what, int(most)))
    else:
        in_threads(where, what, int(most))
