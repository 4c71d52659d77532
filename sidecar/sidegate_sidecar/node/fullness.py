"""Fullness: what the log says when the table of buckets is full, and who pays. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate.errors import quoted
from sidegate_sidecar.sizes import size_text

if TYPE_CHECKING:
    from sidegate.buckets.buckets import BucketTable

PAUSE = 60.0  # seconds between two lines: a flood lasts, and the metrics tell the rest


class Fullness:
    """Tells of buckets in debt that were forgotten, at most once a minute; `now` is in seconds."""

    def __init__(self) -> None:
        self._told = 0
        self._next = 0.0

    def line(self, buckets: BucketTable, now: float) -> str:
        """Return what to log: how many had to go since the last line, and of which rule; or ""."""
        evicted = sum(buckets.evicted.values())
        if evicted == self._told or now < self._next:
            return ""
        count, self._told = evicted - self._told, evicted
        self._next = now + PAUSE
        whose, held = buckets.largest()
        return (
            f"the buckets fill all of --max-memory ({size_text(buckets.max_memory)}): {count:,} of"
            f" those that owe least were forgotten; most are of {quoted(whose, 120)}, which takes"
            f" {held * 100 // buckets.max_memory} %"
        )
