"""A fork while a thread waits, and another holds all locks. Run by test_in_threads.py."""

import os
import threading
import time

from sidegate.client.blocking import BlockingClient
from sidegate.client.waiting.moves import MOVES
from sidegate.testing import isolated

LIMIT = "1/minute"
PATIENCE = 15  # seconds


def hold_locks(client: BlockingClient, held: threading.Event, release: threading.Event) -> None:
    """Hold the locks of those who wait, as threads may that come or go."""
    with client._waiting._lock, MOVES._lock:
        held.set()
        release.wait(PATIENCE)


def wait_for_a_waiter(client: BlockingClient) -> None:
    """Return when somebody waits."""
    deadline = time.monotonic() + PATIENCE
    while not client._waiting.queues.table and time.monotonic() < deadline:
        os.sched_yield()


def main() -> None:
    """Wait in a thread, fork, acquire in the child, and go on in the parent."""
    with isolated() as memory:
        client, done = BlockingClient("memory"), list[bool]()
        client.acquire("k", LIMIT)
        waits = threading.Thread(target=lambda: done.append(client.acquire("k", LIMIT).allowed))
        waits.start()
        wait_for_a_waiter(client)
        held, release = threading.Event(), threading.Event()
        threading.Thread(target=hold_locks, args=(client, held, release)).start()
        held.wait(PATIENCE)
        child = os.fork()
        if child == 0:
            memory.advance(60)
            print("child", client.acquire("k", LIMIT, timeout=0).allowed, flush=True)  # noqa: T201
            os._exit(0)
        _, status = os.waitpid(child, 0)
        release.set()
        memory.advance(60)
        waits.join(PATIENCE)
        print("parent", status, *done)  # noqa: T201


if __name__ == "__main__":
    main()
