"""The time of the machine: a clock that never goes back, and goes on while the machine sleeps."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def machine_clock() -> Callable[[], int]:
    """Return a clock in ns, from any start.

    The usual monotonic clock of Linux stands still while a machine is suspended. A node that woke
    would not notice, and take all buckets for what they were before. Where the system has no other
    the usual one has to do.
    """
    boot_time = getattr(time, "CLOCK_BOOTTIME", None)
    if boot_time is None:
        return time.monotonic_ns
    return partial(time.clock_gettime_ns, boot_time)
