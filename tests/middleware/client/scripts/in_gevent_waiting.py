"""Waits of greenlets, with everything patched. Run by test_in_threads.py."""

from gevent import monkey  # type: ignore[import-untyped]  # it ships no types

monkey.patch_all()  # pyright: ignore[reportUnknownMemberType]  # as above

import sys  # noqa: E402  # the patches must come first
import time  # noqa: E402
from collections.abc import Callable  # noqa: E402
from concurrent.futures import ThreadPoolExecutor  # noqa: E402
from pathlib import Path  # noqa: E402

from sidegate.client.blocking import BlockingClient  # noqa: E402

TOGETHER = 20
THREADS = Path("/proc/self/task")  # of the kernel; threads of Python are greenlets here


def main(address: str) -> None:
    """Have greenlets wait for one key, and see if another one runs meanwhile."""
    with BlockingClient(address, budget=10) as client, ThreadPoolExecutor(TOGETHER + 1) as pool:
        waits = [pool.submit(client.acquire, "k", "100/second burst 1") for _ in range(TOGETHER)]
        other = pool.submit(runs_until, lambda: all(it.done() for it in waits))
        print("served", sum(it.result().allowed for it in waits))  # noqa: T201
        print("others ran" if other.result() > TOGETHER else "others stood")  # noqa: T201
        print("threads", len(list(THREADS.iterdir())) if THREADS.exists() else 1)  # noqa: T201


def runs_until(is_over: Callable[[], bool]) -> int:
    """Count how often another greenlet has its turn."""
    turns = 0
    while not is_over():
        time.sleep(0.001)
        turns += 1
    return turns


if __name__ == "__main__":
    main(*sys.argv[1:])
