"""Fork in the midst of a loop's turn, and checks in both processes. Run by test_client_forks.py."""

import asyncio
import os
import signal
import sys

from sidegate.client.client import Client

PATIENCE = 15  # seconds
_DONE = 0


async def checks(client: Client, who: str) -> None:
    """Print a letter for each of five checks: O for one that the owner decided."""
    sources = [(await client.check("k", "1000/365 days")).source for _ in range(5)]
    print(who, "".join(source[0].upper() for source in sources), flush=True)  # noqa: T201


async def child(client: Client) -> None:
    """Check in a loop of the child's own, and close what it has opened."""
    await checks(client, "child")
    await client.close()


async def main(address: str) -> int:
    """Check before the fork; fork while another check is yet to be sent; check in both."""
    client = Client(address, budget=10, secret="", remember_denials=False)
    await checks(client, "parent")
    waiting = client.check("k", "1000/365 days")
    locks = client._lock, client._alone._lock
    for lock in locks:  # as a thread may that isn't in the child
        lock.acquire()
    forked = os.fork()
    if forked == 0:
        signal.alarm(PATIENCE)  # else a child that is stuck outlives the test
        try:
            asyncio.run(child(client))
        finally:  # never back into the loop of the parent
            os._exit(_DONE)
    for lock in locks:
        lock.release()
    _, status = await asyncio.to_thread(os.waitpid, forked, 0)
    print("parent", (await waiting).source[0].upper(), flush=True)  # noqa: T201
    await checks(client, "parent")
    await client.close()
    return status


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1])))
