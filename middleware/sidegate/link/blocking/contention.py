"""Contention: do more tasks of this machine want to run than it has cores?

The sidecar beside us may then be silent since it waits for the CPU, and may be well all the same:
with two busy loops on two cores, 200 ms were seen, while we ourselves woke up in time.
"""

import os
from pathlib import Path

_LOAD = Path("/proc/loadavg")  # "0.20 0.18 0.12 3/345 11206": 3 of 345 tasks run or want to
_CORES = os.cpu_count() or 1


def is_contended(load: Path = _LOAD, cores: int = _CORES) -> bool:
    """Are more tasks runnable than there are cores, as Linux counts them? 10 µs; else False."""
    try:
        runnable, _, _ = load.read_text("ascii").split()[3].partition("/")
        return int(runnable) > cores
    except (OSError, ValueError, IndexError):
        return False  # a system that doesn't tell
