"""Tests of an app without a sidecar.

With pytest, ask for the fixture `sidegate` (it comes with the package); elsewhere use `isolated`:

    def test_the_third_login_is_refused(sidegate):
        assert [client.post("/login").status_code for _ in range(3)] == [200, 200, 429]
        sidegate.advance(60)
        assert client.post("/login").status_code == 200

It doesn't matter when the app and its clients were made, nor what they have as `sidecar`.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from sidegate.client.memory import PROCESS, STANDING, Memory

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["Memory", "in_this_process", "isolated"]


@contextmanager
def isolated() -> Generator[Memory]:
    """Have all clients of this process decide by buckets of the block alone; give these.

    All buckets are full at its begin, and nobody is dialled. Blocks may lie in each other. It is of
    the process, so tests that run at the same time in threads of one process share it.
    """
    before, memory = (STANDING.decide, STANDING.memory), Memory()
    STANDING.decide, STANDING.memory = memory.decide, memory
    try:
        yield memory
    finally:
        STANDING.decide, STANDING.memory = before


def in_this_process() -> Memory:
    """Return the buckets of the clients whose sidecar is "memory", outside of `isolated`."""
    return PROCESS
