"""Listened time: a clock that leaves out the time for which its own event loop was busy. Pure.

Whoever counts another's silence must not count the time for which it didn't listen. So a timer is
set for a short step ahead; a step that ends in time counts as it was, and one that ends late shows
that the loop was busy: it counts as half a step, however long it was. Half and not the whole,
because a busy loop reads once a step, and a handshake needs several reads in a row.
"""

from math import inf

LATE = 0.0015  # seconds: an idle loop's timers are up to 1 ms late, as epoll counts in whole ones


class ListenedTime:
    """Counts the seconds listened, in steps of at most `step`. `now` is on the loop's clock."""

    __slots__ = ("_due", "_from", "_step", "_total")

    def __init__(self, step: float) -> None:
        self._step = step
        self._total = 0.0
        self._from = self._due = inf  # nobody listens

    def at(self, now: float) -> float:
        """Return how long we have listened; it stands still while nobody does."""
        if now <= self._from:
            return self._total
        elapsed = now - self._from
        if now - self._due <= LATE:
            return self._total + elapsed
        return self._total + min(elapsed, self._step) / 2

    def expect(self, now: float, due: float) -> None:
        """Listen from now on; the loop is to be back at `due`. Another step, if any, ends here."""
        self._total = self.at(now)
        self._from, self._due = now, max(due, now)

    def stop(self, now: float) -> None:
        """Listen no more: nothing is waited for."""
        self._total = self.at(now)
        self._from = self._due = inf
