"""Outcome: what became of a request. Pure."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from sidegate.buckets.decision import Source


class Outcome(IntEnum):
    """What became of a request; small numbers, since millions are kept."""

    UNDER_WAY = 0  # sent, and not answered yet
    ADMITTED = 1  # 2xx
    DENIED = 2  # 429, or 503 by the policy "closed"
    FAILED = 3  # any other 5xx
    REFUSED = 4  # any other 4xx: let through by the limiter, and not what a load test wants
    REDIRECTED = 5  # 3xx: not followed, so what the service really does was not seen
    TIMEOUT = 6  # no whole answer in time
    BROKEN = 7  # no connection, or one that broke
    HELD_BACK = 8  # not sent: too many were under way

    @property
    def label(self) -> str:
        """Its name for people and for JSON."""
        return self.name.lower()


ERRORS: Final = (
    *(Outcome.FAILED, Outcome.REFUSED, Outcome.REDIRECTED),
    *(Outcome.TIMEOUT, Outcome.BROKEN),
)
"""What breaks the promise that each request is answered."""

MEASURED: Final = (Outcome.ADMITTED, Outcome.DENIED, Outcome.TIMEOUT)
"""Whose times are in percentiles: a timeout took at least as long, so a stall never lowers them."""

BY_POLICY: Final = frozenset({Source.OPEN, Source.CLOSED, Source.LOCAL})
"""Sources of answers that nobody gave who knows the bucket."""


def outcome_of(status: int, source: Source | None) -> Outcome:
    """Return what an answer with this status is."""
    if status == 429 or source is Source.CLOSED:
        return Outcome.DENIED
    if status >= 500:
        return Outcome.FAILED
    if status >= 400:
        return Outcome.REFUSED
    return Outcome.REDIRECTED if status >= 300 else Outcome.ADMITTED
