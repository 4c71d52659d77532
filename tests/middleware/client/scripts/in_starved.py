"""Threads that get no CPU: another one holds the interpreter's lock. Run by test_starvation.py."""

import ctypes
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from sidegate.client.blocking import BlockingClient

TOGETHER = 20
TURNS = 10
AWAY = 300_000  # microseconds: six budgets


def main(address: str) -> None:
    """Ask from 20 threads, while nobody runs for most of the time."""
    sources: Counter[str] = Counter()
    over = threading.Event()
    with BlockingClient(address) as client:

        def ask() -> None:
            while not over.is_set():
                sources[client.check("k", "900000/minute").source.value] += 1

        with ThreadPoolExecutor(TOGETHER) as pool:
            for _ in range(TOGETHER):
                pool.submit(ask)
            for _ in range(TURNS):
                ctypes.PyDLL(None).usleep(AWAY)  # unlike CDLL it keeps the lock
                over.wait(0.01)
            over.set()
    print(*sources)  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
