"""Leaving: a node is told to go, and what is said of it, of its buckets and in the exit code."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from sidegate.buckets.limits import SECOND
from sidegate_sidecar.cluster.place.handover import ALONE, NO_HEIR, OVERDUE, Departure
from sidegate_sidecar.cluster.place.stages import Stage
from sidegate_sidecar.cluster.routes.rings import taken_of
from sidegate_sidecar.errors import NOT_TAKEN

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidegate_ring.hashring import Ring
    from sidegate_sidecar.cluster.cluster import Cluster

log = logging.getLogger("sidegate")


class Leaving:
    """How one node leaves the ring. `expects`: might it be found by others that it hasn't met?"""

    def __init__(
        self, cluster: Cluster, clock: Callable[[], int], expects: Callable[[], bool]
    ) -> None:
        self.has_met = False  # any other node, ever
        self.handed_over = 0  # buckets, since the start
        self._cluster = cluster
        self._expects = expects
        self._clock = clock
        self._saved = False
        self._has_waited = False  # since it was told to leave: it may go on and wait again
        self._over = asyncio.Event()
        self._last: Departure | None = None

    @property
    def has_company(self) -> bool:
        """Is there another node, or might there be?"""
        return self.has_met or self._expects()

    def staged(self, stage: Stage) -> None:
        """Called when the node has come to a stage."""
        if stage in {Stage.LEAF, Stage.MEMBER}:  # the latter also when it could not leave
            self._over.set()
        elif stage is Stage.WAITING and not self._has_waited:
            self._has_waited = True
            words = "node %s: is the last one, and waits for another node to take its buckets"
            log.warning(words, self._cluster.name)

    async def leave(self, drain: float, *, saved: bool) -> Departure:
        """Leave the ring within `drain` seconds.

        The last owner waits for another node if it may have one and its buckets aren't `saved`.
        """
        cluster, began = self._cluster, self._clock()
        if cluster.stage is Stage.LEAF and self._last is not None:
            return replace(self._last, handed_over=0, seconds=0.0)
        self._over.clear()
        self._saved, self._has_waited = saved, False
        ring = cluster.ring
        cluster.place.leave(began, int(drain * SECOND), patient=self.has_company and not saved)
        if cluster.stage is not Stage.LEAF:
            await self._over.wait()
        took = (self._clock() - began) / SECOND
        self._last = await self._departed(ring, took)
        self.handed_over = max(self.handed_over, self._last.handed_over)  # two may have asked
        return self._last

    async def _departed(self, ring: Ring, took: float) -> Departure:
        if self._cluster.stage is not Stage.LEAF:  # by now it may own what others gave it
            ring = self._cluster.ring
        taken, missing = await self._count(ring)
        name, why = self._cluster.name, self._why_not(missing)
        if not why:
            log.info("node %s: left the ring in %.2f s, %d buckets handed over", name, took, taken)
        elif self._cluster.stage is Stage.LEAF:
            words = "node %s: left the ring in %.2f s, %d buckets handed over, %d not: %s"
            log.warning(words, name, took, taken, missing, why)
        else:
            words = "node %s: still on the ring after %.2f s, with %d buckets: %s"
            log.log(self._level, words, name, took, missing, why)
        return Departure(name, not why, taken, missing, took, why)

    def _why_not(self, missing: int) -> str:
        if self._cluster.stage is not Stage.LEAF:
            return NO_HEIR if self.has_company else ALONE
        return OVERDUE if self._cluster.place.is_overdue or missing else ""

    @property
    def _level(self) -> int:
        return logging.WARNING if self.has_company and not self._saved else logging.INFO

    async def _count(self, ring: Ring) -> tuple[int, int]:
        """Count the buckets that this node owned on a ring: those others have, and the rest."""
        cluster = self._cluster
        # Else all was merged; what it is sending since is for those who have come after that.
        owed = cluster.sync.owed() if cluster.place.is_overdue else set[tuple[str, str]]()
        taken = missing = 0
        for some, rest in taken_of(ring, cluster.name, cluster.table, owed or (), self._clock()):
            taken, missing = taken + some, missing + rest
            await asyncio.sleep(0)  # no wait, but checks go first
        if owed is None or cluster.stage is not Stage.LEAF:  # nobody can tell who has which
            return 0, taken + missing
        return taken, missing

    def end(self, *, at_once: bool = False) -> int:
        """Say what is lost when the process ends now; return the exit code."""
        name = self._cluster.name
        if at_once:
            log.warning("node %s: ended at once, while it was on the ring", name)
        missing = self._last.not_taken if self._last else len(self._cluster.table)
        others = any(map(self._cluster.transport.is_up, self._cluster.ring.nodes))
        if not missing or not self.has_company or (at_once and others):
            return 0  # nobody expects more of a node alone; others have copies, as after a crash
        log.error("node %s: ended, and nobody took its %d buckets", name, missing)
        return NOT_TAKEN
