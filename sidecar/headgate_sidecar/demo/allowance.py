"""Allowance: how much a limit lets through at most. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headgate.limits import Limit


class Allowance:
    """Burst + rate x elapsed of one key, summed over the lives of its owner. Times in seconds.

    A node that is killed takes its buckets along (in this release), so the one started in its
    place begins a new life with full ones.
    """

    def __init__(self, limit: Limit) -> None:
        self._limit = limit
        self._earlier = 0  # of lives that are over
        self._since: float | None = None
        self._ended = float("-inf")

    def decided(self, sent: float) -> None:
        """Note that the owner has decided a request sent at this time; the first opens a life."""
        if sent >= self._ended:
            self._since = sent if self._since is None else min(self._since, sent)

    def end_life(self, now: float) -> None:
        """Note that the owner is dead."""
        self._earlier = self.most(now)
        self._since, self._ended = None, now

    def most(self, now: float) -> int:
        """Return how many requests may have been let through by now."""
        if self._since is None:
            return self._earlier
        limit = self._limit
        return self._earlier + limit.burst + int((now - self._since) * limit.tokens / limit.window)
