"""Upkeep: what is done for buckets all the time, and what the log says when they fill up. Pure."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from sidegate.buckets.limits import SECOND
from sidegate.errors import quoted
from sidegate_sidecar.sizes import size_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidegate.buckets.buckets import BucketTable
    from sidegate_sidecar.node.node import Node

EVERY: Final = SECOND // 10
SLICE: Final = 500  # buckets at a time: a quarter of a millisecond
PAUSE = 60.0  # seconds between two lines: a flood lasts, and the metrics tell the rest

log = logging.getLogger("sidegate")


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


class Upkeep:
    """Forgets full buckets, and keeps calendar windows in step with `wall`, the time since 1970.

    Both clocks are in ns; `clock`, that of the buckets, never goes back.
    `also` is what else is to be done then. A sweep that isn't over goes on `later`, in the next
    turns of the loop: checks go first.
    """

    def __init__(
        self,
        node: Node,
        clock: Callable[[], int],
        wall: Callable[[], int],
        also: Callable[[int], None],
        later: Callable[[Callable[[], None]], None],
    ) -> None:
        self._node = node
        self._clock = clock
        self._wall = wall
        self._also = also
        self._later = later
        self._fullness = Fullness()
        self._due = 0
        self._sweeps = False

    def tick(self, now: int) -> None:
        """Do what is due, ten times a second or as often as this is called."""
        if now < self._due:
            return
        self._due = now + EVERY
        if self._node.counting is not None:
            self._node.counting.tick()
        self._also(now)
        self._node.buckets.windows.set(self._wall() - self._clock())
        if not self._sweeps:
            self._sweep()

    def _sweep(self) -> None:
        buckets, now = self._node.buckets, self._clock()
        self._sweeps = buckets.sweep(now, SLICE) >= SLICE
        if line := self._fullness.line(buckets, now / SECOND):
            log.warning(line)
        if self._sweeps:
            self._later(self._sweep)
