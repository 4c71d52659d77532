"""Allowance: how much a limit lets through at most. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate_sidecar.loadtest.judge.bounds import max_in

if TYPE_CHECKING:
    from sidegate.buckets.limits import Limit


class DemoAllowance:
    """Burst + rate x elapsed of one key, whoever owns it when. Times in seconds.

    When its owner is killed the backup goes on with a copy that lacks the latest charges:
    `a_kill` tokens at most, that are then let through once more.
    """

    def __init__(self, limit: Limit, a_kill: int) -> None:
        self._limit = limit
        self._a_kill = a_kill
        self._since: float | None = None
        self._lost = 0

    def decided(self, sent: float) -> None:
        """Called when a node has decided a request sent at this time."""
        self._since = sent if self._since is None else min(self._since, sent)

    def owner_killed(self) -> None:
        """Called when the owner was killed, and may have taken its latest charges along."""
        self._lost += self._a_kill

    def most(self, now: float) -> int:
        """Return how many requests may have been let through by now."""
        if self._since is None:
            return 0
        return max_in(self._limit, now - self._since) + self._lost
