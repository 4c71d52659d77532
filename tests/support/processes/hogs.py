"""Hogs: processes that keep a core busy each, for two minutes at most."""

import time
from collections.abc import Generator
from contextlib import contextmanager

from sidegate_sidecar.lab.processes import Child


@contextmanager
def hogs(count: int) -> Generator[None]:
    """Keep so many cores busy."""
    processes = [Child("hog", "tests.support.processes.hogs") for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()


if __name__ == "__main__":
    END = time.monotonic() + 120
    while time.monotonic() < END:
        pass
