"""Forks in the middle of things, and checks in both processes. Run by test_blocking_trust.py."""

import os
import signal
import sys
import threading
from pathlib import Path

from sidegate.client.blocking import BlockingClient

FILES = Path("/dev/fd")  # those that this process has open
PATIENCE = 15  # seconds
_DONE = 0


def checks(client: BlockingClient, who: str) -> None:
    """Print a letter for each of five checks: O for one that the owner decided."""
    sources = [client.check("k", "1000/365 days").source for _ in range(5)]
    print(who, "".join(source[0].upper() for source in sources), flush=True)  # noqa: T201


def open_files() -> int:
    """Return how many files and sockets this process has open."""
    return len(list(FILES.iterdir()))


def hold_locks(client: BlockingClient, held: threading.Event, release: threading.Event) -> None:
    """Hold all locks of the client, as threads may that are in the middle of a check."""
    shared = client._shared
    with shared._lock, shared.alone._lock, shared.multiplexer.waiting.lock, shared.breaker._lock:
        held.set()
        release.wait()


def main(address: str) -> None:
    """Check before the fork, in the child, and in the parent when the child is gone."""
    client = BlockingClient(address, budget=10, remember_denials=False)
    checks(client, "parent")
    held, release = threading.Event(), threading.Event()
    holder = threading.Thread(target=hold_locks, args=(client, held, release))
    holder.start()
    held.wait()
    before = open_files()
    child = os.fork()
    if child == 0:
        signal.alarm(PATIENCE)  # else a child that is stuck outlives the test
        checks(client, "child")
        print("no file more" if open_files() == before else "a leak", flush=True)  # noqa: T201
        client.close()
        os._exit(_DONE)
    release.set()
    holder.join()
    _, status = os.waitpid(child, 0)
    checks(client, "parent")
    client.close()
    sys.exit(status)


if __name__ == "__main__":
    main(sys.argv[1])
