"""Warming: a ring that has come to stay is put in order before a check waits for it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate.buckets.limits import SECOND

if TYPE_CHECKING:
    from sidegate_ring.hashring import Ring

STAYS_AFTER = SECOND  # ns: while nodes come one after the other it would be in vain


class Warming:
    """Watches the rings of one node. `now` is in ns."""

    __slots__ = ("_ring", "_since")

    def __init__(self) -> None:
        self._ring: Ring | None = None
        self._since = 0

    def tick(self, ring: Ring, now: int) -> None:
        """Have the ring do a part of its work, a part in each tick, once it is old enough."""
        if ring is not self._ring:
            self._ring, self._since = ring, now
        elif now - self._since >= STAYS_AFTER:
            ring.warm()
