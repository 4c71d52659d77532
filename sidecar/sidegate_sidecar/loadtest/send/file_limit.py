"""Open files: a request under way has a connection of its own, and each of those is one."""

from __future__ import annotations

import resource
from typing import Final

from sidegate_sidecar.errors import BAD_INPUT, Failure
from sidegate_sidecar.open_files import raise_file_limit

OTHERS: Final = 64  # what else a run has open: its loop, look-ups of names, the reports


def require_open_files(max_in_flight: int) -> None:
    """Allow this process as many open files as it takes; Failure where the system doesn't."""
    raise_file_limit(max_in_flight)
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if allowed == resource.RLIM_INFINITY or allowed >= max_in_flight + OTHERS:
        return
    room = max(allowed - OTHERS, 1)
    raise Failure(
        BAD_INPUT,
        f"--max-in-flight '{max_in_flight}': expected at most {room:,}, as long as a process may"
        f" have {allowed:,} open files here (ulimit -n)",
    )
