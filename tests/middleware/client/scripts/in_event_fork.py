"""Events before and after a fork, while others hold the lock. Run by test_event_processes.py."""

import os
import signal
import sys

from sidegate.client.blocking import BlockingClient

PATIENCE = 15  # seconds
_DONE = 0


def main(address: str) -> None:
    """Record in the parent, and in its child, which has none of what the parent has to tell."""
    client = BlockingClient(address, budget=10)
    client.record("parent")
    with client._shared._events._lock:  # as a thread may that records just now
        child = os.fork()
    if child == 0:
        signal.alarm(PATIENCE)  # else a child that is stuck outlives the test
        client.record("child")
        client.close()
        os._exit(_DONE)
    _, status = os.waitpid(child, 0)
    client.record("parent")
    client.close()
    sys.exit(status)


if __name__ == "__main__":
    main(sys.argv[1])
