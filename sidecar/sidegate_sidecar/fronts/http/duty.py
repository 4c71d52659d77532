"""The share of the loop's time that HTTP may take from the checks. Pure."""

from __future__ import annotations

BUSY_SHARE = 0.05  # while checks come: one in twenty of them may find HTTP at work
IDLE_SHARE = 0.5  # otherwise: half of it is left for whoever asks next
BUSY_FOR = 0.1  # seconds after a check
BURST = 0.02  # seconds that may be saved up: at the busy share 1 ms of work at once


class Duty:
    """Says when HTTP may go on, by the time that it has spent. All times are in seconds.

    `asked` counts the checks that were asked, and tells whether any come at present.
    """

    def __init__(self) -> None:
        self._paid_off_at = 0.0  # when what was spent is no more than its share
        self._asked = 0
        self._busy_until = 0.0

    def spend(self, seconds: float, now: float, asked: int) -> None:
        """Count in work that was done until just now."""
        if asked != self._asked:
            self._asked, self._busy_until = asked, now + BUSY_FOR
        share = BUSY_SHARE if now < self._busy_until else IDLE_SHARE
        self._paid_off_at = max(self._paid_off_at, now) + seconds / share

    def wait(self, now: float) -> float:
        """Return for how long HTTP has to wait before its next piece of work."""
        return max(self._paid_off_at - now - BURST, 0.0)
