"""Open files: how many this process may have, and how many it wants. Each connection is one."""

from __future__ import annotations

from contextlib import suppress

# Besides those of apps: two for each other node and leaf (6,000), who has proved nothing (2,560),
# HTTP, and files.
OTHER_FILES = 9_216


def max_open_files() -> int:
    """Return how many files this process may have open at a time."""
    try:
        import resource  # noqa: PLC0415  # not on Windows
    except ImportError:
        return 1 << 20
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 1 << 20 if soft == resource.RLIM_INFINITY else soft


def raise_file_limit(connections: int) -> None:
    """Allow as many open files as connections and some, as far as the system lets us."""
    with suppress(ImportError, ValueError, OSError):
        import resource  # noqa: PLC0415  # not on Windows

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = connections + OTHER_FILES
        if soft != resource.RLIM_INFINITY and soft < wanted:
            most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
