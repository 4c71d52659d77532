"""Sampling: which questions are asked so often that tokens are worth borrowing for them. Pure.

One check of each turn is looked at, and counts for all of it, so a check costs nothing more. Which
one it is goes around: who asks the same ten things in each turn has all ten looked at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidegate.buckets.limits import Limits
    from sidegate.protocol.messages import Check

    Question: TypeAlias = tuple[str, str]
    """(key, limits as they are asked): what a lease is of."""

WINDOW: Final = 100_000_000  # ns: as long as a lease lasts
MAX_SEEN: Final = 256  # questions in a window, 50 kB; who is busy is among the first of them
# Of ten thousand keys that are asked about once a second each, 1 a window comes as often; by two,
# which is as little as can be lent, 47 would.
MIN_SAMPLES: Final = 3
LEAST_BURST: Final = 80  # tokens: an owner lends up to half of 5 %, and no less than two


class Sampling:
    """The checks that were looked at in the present window, by question. `now` is in ns."""

    __slots__ = ("_began", "_place", "_seen")

    def __init__(self) -> None:
        self._began = -WINDOW
        self._place = 0
        self._seen: dict[Question, tuple[int, int]] = {}  # how often, and tokens they stand for

    def saw(self, checks: Sequence[Check], limits: Sequence[Limits], now: int) -> int:
        """Look at a turn; return the place of a check that is hot by now, -1 for none."""
        if now - self._began >= WINDOW:
            self._began = now
            self._seen.clear()
        size = len(checks)
        self._place = place = (self._place + 1) % size
        key, asked, cost = checks[place]
        question = (key, asked)
        samples, tokens = self._seen.get(question, (0, 0))
        if not samples and len(self._seen) >= MAX_SEEN:
            return -1
        self._seen[question] = samples + 1, tokens + size * cost
        if samples + 1 < MIN_SAMPLES or not tokens:
            return -1
        asks = limits[place]
        return place if asks.may_lease and asks.smallest_burst >= LEAST_BURST else -1

    def wanted(self, question: Question) -> int:
        """Return how many tokens this question was asked for in the present window, about."""
        return self._seen[question][1]
