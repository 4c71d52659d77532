"""An overload: what the log says of checks that this process decided because it was in trouble.

It is the counterpart of an outage: there the sidecar is at fault, here we are. Pure.
"""

from __future__ import annotations

from enum import Enum

REMIND_EVERY = 60.0  # seconds between two lines about the same trouble


class Trouble(Enum):
    """Why a check was decided by this process's share; the value is what the log says."""

    BUSY = "this process is too busy to hear its sidecar in time"
    FULL = "too many checks of this process wait for its sidecar"
    RESOLVING = "the look-up of the sidecar's host name takes longer than the budget"
    UNANSWERED = "the sidecar speaks, but leaves checks unanswered"


class Overload:
    """Counts the checks decided by the share, by kind of trouble. `now` is in seconds."""

    def __init__(self) -> None:
        self._counts: dict[Trouble, int] = {}
        self._say_at: dict[Trouble, float] = {}

    def decided(self, trouble: Trouble, now: float) -> str:
        """Count a check; return the line to log, mostly none (""): one a minute at most."""
        count = self._counts.get(trouble, 0) + 1
        if now < self._say_at.get(trouble, now):
            self._counts[trouble] = count
            return ""
        self._counts[trouble] = 0
        self._say_at[trouble] = now + REMIND_EVERY
        checks = "1 check was" if count == 1 else f"{count:,} checks were"
        return f"sidegate: {trouble.value}: {checks} decided by its own share"
