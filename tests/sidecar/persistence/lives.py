"""Lives of a node with a state file: its buckets, on clocks that a test moves."""

import asyncio
import logging
from pathlib import Path

import pytest

from sidegate.buckets.buckets import BucketTable
from sidegate.buckets.limits import parse_limits
from sidegate.buckets.store import MAX_MEMORY
from sidegate_sidecar.persistence.state_file import SLICE, StateFile
from sidegate_sidecar.replication.corrections.resets import KnownResets

SECOND = 10**9
HOUR = 3_600 * SECOND
SAVED_AT = 1_795_000_000 * SECOND


class Life:
    """The buckets of one life of a node, on clocks that stand still unless they are moved."""

    def __init__(
        self,
        path: Path,
        wall: int = SAVED_AT,
        max_memory: int = MAX_MEMORY,
        boot: tuple[str, int] = ("", 0),
    ) -> None:
        self.now = 7 * SECOND
        self.wall = wall
        self.buckets = BucketTable(max_memory)
        clocks = lambda: self.now, lambda: self.wall, lambda: boot  # three of them
        self.resets = KnownResets()
        self.file = StateFile(str(path), self.buckets, *clocks, resets=self.resets)

    def take(self, key: str, limits: str = "10/hour", cost: int = 1) -> None:
        """Charge a key, which must be allowed."""
        assert self.buckets.take(key, parse_limits(limits), cost, self.now)[0]

    def save(self) -> int:
        """Save once; how many buckets."""
        return asyncio.run(self.file.save())

    def is_failing(self) -> bool:
        """Did the last save fail?"""
        return self.file.failing

    def debts(self) -> dict[tuple[str, str], int]:
        """Return what is owed now (ns) by key and limit."""
        rows = [row for rows in self.buckets.export(self.now, SLICE) for row in rows]
        return {(key, str(limit)): debt for key, limit, debt in rows}


def saved(path: Path) -> bytes:
    """Return the file of a node with two keys in debt."""
    node = Life(path)
    node.take("customer-7", "10/hour", 4)
    node.take("ключ", "7/second burst 20; 10/hour", 9)
    assert node.save() == 3
    return path.read_bytes()


def unfinished(path: Path) -> list[str]:
    """Return the names of files that a save under way has made."""
    return [other.name for other in path.parent.iterdir() if other.name.endswith(".tmp")]


def warnings(log: pytest.LogCaptureFixture) -> list[str]:
    """Return the warnings and errors so far, and forget them."""
    said = [record.getMessage() for record in log.records if record.levelno >= logging.WARNING]
    log.clear()
    return said
