"""The ticker: calls a cluster's tick whenever something is due."""

from __future__ import annotations

import asyncio
import logging
from math import inf
from typing import TYPE_CHECKING

from sidegate_sidecar.cluster.place.place import ignore
from sidegate_sidecar.cluster.place.stages import Stage

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidegate_sidecar.cluster.cluster import Cluster

log = logging.getLogger("sidegate")

AFTER_FAULT = 0.05  # seconds
SLICE = 250_000  # ns of work in a turn of the loop, if nobody has asked since the last one
SHORT_SLICE = 60_000  # ns, where somebody has: one piece as a rule; so long a check may wait for it
REST = 2  # times as long as a slice took there is none: what can wait has a third of the time
FULL_EVERY = 50 * 10**6  # ns between two full ticks while there is work; they take 0.1 ms more
PAUSE = 0.001  # seconds: what timers can do; the next check may end it sooner
BUSY_FOR = 0.02  # seconds after a check
LEAVES = frozenset({Stage.FLUSHING, Stage.LEAVING})  # which must be done in time


class Ticker:
    """One timer of the running loop; `clock` is in ns and only used to tell the cluster.

    Work that is never due, such as a walk through a million buckets, goes on at once while nobody
    asks anything, and pauses after each slice while somebody does. `asked` counts who has asked.
    While it `rests` there is work, and `checked` is to be called with each check: the next slice is
    best put behind an answer, and a busy node has no better timer.
    """

    def __init__(
        self, cluster: Cluster, clock: Callable[[], int], asked: Callable[[], int]
    ) -> None:
        self._cluster = cluster
        self._clock = clock
        self._asked = asked
        self._upkeep: Callable[[int], None] = ignore
        self._seen = 0
        self._busy_until = 0.0
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.Handle | None = None
        self._at = inf
        self.rests = False
        self._rested_at = 0  # ns: when there may be another slice
        self._sliced_at = 0  # how many had asked when the last one was over
        self._until = 0  # ns: the end of this turn's slice
        self._full_at = 0  # ns: when all is to be done that is due

    def start(self, upkeep: Callable[[int], None] = ignore) -> None:
        """Tick from now on, and call `upkeep` when all is done that is due: what has no hurry.

        A timer of its own would wake a node at rest, which is most of what that takes.
        """
        self._upkeep = upkeep
        self._tick()

    def wake(self) -> None:
        """Tick as soon as changes may be sent: at once, or when the last ones have had 100 ms."""
        self._tick_in(self._cluster.sync.flush_due(self._clock()) * 1e-9)

    def hurry(self) -> None:
        """Tick soon if there is work to do."""
        if self._cluster.sync.working:
            self._tick_in(self._pause())

    def checked(self, now: int) -> None:
        """Have the next slice right behind the answer to this check, if it has rested enough."""
        if now >= self._rested_at and self._timer is not None:
            self.rests = False
            self._timer.cancel()
            self._timer, self._at = self._loop.call_soon(self._tick), self._loop.time()

    def _tick_in(self, wait: float) -> None:
        if self._timer is None:  # not started, or stopped
            return
        at = self._loop.time() + wait
        if at < self._at:
            self._timer.cancel()
            self._timer, self._at = self._loop.call_at(at, self._tick), at

    def _tick(self) -> None:
        self.rests = False
        try:
            now = self._clock()
            wait = self._tick_at(now) or self._rest(now)
        except Exception:  # there must be a next tick, whatever it was
            log.exception("a fault in sidegate; please report it")
            wait = AFTER_FAULT
        self._at = self._loop.time() + wait
        if wait:
            self._timer = self._loop.call_at(self._at, self._tick)
        else:  # after whatever else is ready
            self._timer = self._loop.call_soon(self._tick)

    def _tick_at(self, now: int) -> float:
        """Have all done that is due, or a slice of work; return how long to wait, in seconds."""
        self._until = now + (SLICE if self._asked() == self._sliced_at else SHORT_SLICE)
        if now < self._full_at:
            wait = self._cluster.work(now, self._has_time)
        else:
            self._full_at = now + FULL_EVERY
            wait = self._cluster.tick(now, self._has_time)
            if self._cluster.ticked_at == now:
                self._upkeep(now)
        return wait * 1e-9

    def _has_time(self) -> bool:
        return self._clock() < self._until

    def _rest(self, began: int) -> float:
        """Return how long to wait behind a slice that began then, if no check comes meanwhile."""
        pause = self._pause()
        self._sliced_at = self._seen
        if pause:
            end = self._clock()
            self._rested_at = end + REST * (end - began)
            self.rests = True
        return pause

    def _pause(self) -> float:
        """Return how long to leave the processor to others between two slices of work."""
        now, asked = self._loop.time(), self._asked()
        if asked != self._seen:
            self._seen, self._busy_until = asked, now + BUSY_FOR
        is_busy = now < self._busy_until and self._cluster.stage not in LEAVES
        return PAUSE if is_busy else 0.0

    def stop(self) -> None:
        """Tick no more."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
