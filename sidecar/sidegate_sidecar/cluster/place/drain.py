"""The drain: how long a node that was told to leave may take. Pure; times in ns."""

from __future__ import annotations

GRACE_PARTS = 5  # who comes late has one fifth of the drain to take buckets, and one to notice


class Drain:
    """Of one leave, which began at `now` and may take `within` ns.

    It is `patient` where it waits for an heir though there is none, and `decided` where the node
    decided checks when it was told to leave.
    """

    def __init__(
        self, now: int = 0, within: int = 0, *, patient: bool = False, decided: bool = False
    ) -> None:
        self.patient = patient
        self.decided = decided
        self._until = now + within
        self._grace = within // GRACE_PARTS
        self._latest = self._until + 2 * self._grace

    def left(self, now: int) -> int:
        """Return how much is left of it."""
        return max(self._until - now, 0)

    def is_over(self, now: int, *, pulled: bool) -> bool:
        """Is it too late for another node to come? Later if one has `pulled` but has no place."""
        return now >= (self._latest if pulled else self._until)

    def extend(self, now: int, deadline: int) -> int:
        """Give one that has come the time to take the buckets and to notice; return until when."""
        self._until = min(max(self._until, now + 2 * self._grace), self._latest)
        return min(max(deadline, now + self._grace), self._latest)
