"""Waiting for things that happen in other threads, with a deadline and without sleeping."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")

PATIENCE = 20.0  # seconds: what must happen happens within them, or the test fails
AMPLE = 10.0  # seconds of budget: for checks that are answered
SCANT = 0.02  # for those that aren't


def until(happens: Callable[[], bool]) -> None:
    """Ask again and again; each time something is asked of the client, which takes its time."""
    deadline = time.monotonic() + PATIENCE
    while not happens():
        assert time.monotonic() < deadline, "it didn't happen"


def in_threads(count: int, work: Callable[[int], T]) -> list[T]:
    """Do the work in that many threads at the same time."""
    start = threading.Barrier(count)

    def together(number: int) -> T:
        start.wait(PATIENCE)
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(together, range(count)))
