"""One core for all: this process and servers run on a single one for as long as a block.

On a virtual machine it takes 30 to 100 µs to wake a core that idles, which is billed to whoever
wakes it. With one check in flight that is most of what would be measured.
"""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable


@contextmanager
def on_one_core(pids: Iterable[int]) -> Generator[None]:
    """Have this process and these run on one core; afterwards on all that this one had."""
    before = os.sched_getaffinity(0)
    everyone = [os.getpid(), *pids]
    try:
        _place(everyone, {min(before)})
        yield
    finally:
        _place(everyone, before)


def _place(pids: Iterable[int], cores: Iterable[int]) -> None:
    """Move all threads that there are; a new one is where the one is that starts it."""
    for pid in pids:
        with suppress(OSError):  # a process that has ended is on no core
            for task in Path(f"/proc/{pid}/task").iterdir():
                with suppress(OSError):
                    os.sched_setaffinity(int(task.name), cores)
