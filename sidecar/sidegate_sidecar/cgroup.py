"""The cgroup: how much memory this process may take before the system ends it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Final

from sidegate_sidecar.sizes import size_text

ROOT: Final = Path("/sys/fs/cgroup")
_FILES: Final = ("memory.max", "memory/memory.limit_in_bytes")  # version 2, and 1
_NO_LIMIT: Final = 1 << 50  # bytes: version 1 says "none" by a number
# Bytes: the process itself, `sidegate leave` beside it, and what waits for other nodes.
_BESIDES: Final = 192 << 20


def memory_limit(root: Path = ROOT) -> int | None:
    """Return the limit in bytes; None where there is none, or no cgroup."""
    for name in _FILES:
        with suppress(OSError, ValueError):  # no such file; "max"
            limit = int((root / name).read_text())
            return limit if limit < _NO_LIMIT else None
    return None


def memory_needed(max_memory: int, cache_bytes: int, reports: int) -> int:
    """Return what a sidecar takes at most whose buckets, values and reports may take so much.

    Of the first two the allocator may lose a quarter between keys of other lengths.
    """
    return (max_memory + cache_bytes) * 5 // 4 + reports + _BESIDES


def warning(max_memory: int, cache_bytes: int, reports: int, limit: int | None) -> str:
    """Return what to log if the limit has no room for that, else ""."""
    if limit is None or memory_needed(max_memory, cache_bytes, reports) <= limit:
        return ""
    fits = ((limit - _BESIDES - reports) * 4 // 5 - cache_bytes) >> 20
    less = f"set it to {fits}MiB or " if fits > 0 else ""
    return (
        f"--max-memory is {size_text(max_memory)}, and the memory limit of the container is"
        f" {limit >> 20}MiB: many keys can have this sidecar killed; {less}raise the limit to"
        f" {memory_needed(max_memory, cache_bytes, reports) >> 20}MiB"
    )
