"""Patience: whether a check waits for those who know to be allowed to decide. Pure; times in ns.

A node that wakes hands checks back until the others have told it what they decided meanwhile, and
its backup may have to hear first that it decided nothing itself. Both take some round trips. Who
gave a share of the limit in between would admit what is spent, while those who know are there.
"""

from __future__ import annotations

LEAST = 2 * 10**6  # ns: a few round trips
PART = 4
"""Of the time that a check has taken so far, one part in so many is waited: 10 tries in 40 ms."""
VAIN_FOR = 10**9  # ns: where it doesn't pass, one budget a second is lost on it, not each check's


class Patience:
    """That of one node: it ends when a check has waited in vain, and is back a second later."""

    def __init__(self) -> None:
        self._none_until = 0

    def pause(self, since: int, deadline: int, now: int) -> int:
        """Return for how long a check is to wait before it is tried again, 0 for not at all."""
        pause = max((now - since) // PART, LEAST)
        return 0 if now < self._none_until or now + pause >= deadline else pause

    def lose(self, now: int) -> None:
        """Called when a check has waited in vain."""
        self._none_until = now + VAIN_FOR
