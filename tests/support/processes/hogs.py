"""Hogs: processes that keep a core busy each, for two minutes at most."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sidegate_sidecar.lab.processes import Child

if TYPE_CHECKING:
    from collections.abc import Generator


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
