"""Suspicion: how long a suspect has to refute. The more nodes suspect it, the less."""

from __future__ import annotations

from sidegate_ring.membership.parameters import (
    Timing,
    confirmations_wanted,
    least_suspicion,
    suspicion_lasts,
)


class Suspicion:
    """One suspect's time. A single accuser may be the one that is ill, so it has to wait longest.

    `by` is the first accuser, `nodes` how many there are in the cluster, `now` in seconds.
    """

    __slots__ = ("_by", "_least", "_most", "_since", "_wanted", "ends_at")

    def __init__(self, by: str, timing: Timing, nodes: int, now: float) -> None:
        self._by = {by}
        self._since = now
        self._wanted = confirmations_wanted(timing, nodes)
        self._least = least_suspicion(timing, nodes)
        self._most = self._least * timing.suspicion_most
        self.ends_at = now
        self._settle()

    def confirm(self, by: str) -> bool:
        """Note another accuser; False for one that is known, or one more than are needed."""
        if not by or by in self._by or len(self._by) > self._wanted:
            return False
        self._by.add(by)
        self._settle()
        return True

    def extend(self, seconds: float) -> None:
        """Give it that much more time: we weren't there to hear it refute."""
        self._since += seconds
        self._settle()

    def _settle(self) -> None:
        confirmed = len(self._by) - 1
        lasts = suspicion_lasts(self._least, self._most, confirmed, self._wanted)
        self.ends_at = self._since + lasts
