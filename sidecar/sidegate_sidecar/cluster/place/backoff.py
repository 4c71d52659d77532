"""Backoff: when a node that stood still asks the others what they decided meanwhile.

Pure; times in ns. Who stands still now and then asks at once. Who does so again and again is on a
machine that has too much to do, perhaps with all the others: were each to ask all others each time,
n² questions would keep them standing still for ever, with nobody asking for anything else. So who
asked and stood still again waits for twice as long as before, and begins to wait anew with each
standstill; all of them at different times. This is what TCP and Ethernet do in a congestion.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate.buckets.limits import SECOND

if TYPE_CHECKING:
    from collections.abc import Callable

FIRST = SECOND // 10  # ns: the first wait, give or take a half; then it doubles
MAX_STEP = 32 * SECOND  # ns: in that time all of a few hundred on one machine can have asked
CALM = 5 * SECOND  # ns, and twice the last wait: a standstill after it is as if there were none yet


class Backoff:
    """One node's. `randrange(n)` returns a random number below n."""

    def __init__(self, randrange: Callable[[int], int]) -> None:
        self._randrange = randrange
        self._step = 0
        self._last: int | None = None
        self.due: int | None = None  # when to ask; None: that was done

    def stood_still(self, now: int) -> int:
        """Return when to ask; earlier standstills wait for the same questions."""
        if self._last is None or now - self._last > CALM + 2 * self._step:
            self._step = 0
        elif self.due is None:
            self._step = min(max(2 * self._step, FIRST), MAX_STEP)
        self._last = now
        self.due = now + (self._step // 2 + self._randrange(self._step) if self._step else 0)
        return self.due

    def take(self, now: int) -> bool:
        """Tell, once, that it is time to ask."""
        if self.due is None or now < self.due:
            return False
        self.due = None
        return True
