"""Outcome: what became of a request, and what it counts as. Pure."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Final

from sidegate.buckets.decision import Source


class OutcomeKind(StrEnum):
    """What a request counts as; each is of one kind. The values are what reports call them."""

    ADMITTED = "admitted"  # not by a policy, as all below
    DENIED = "denied"
    BY_POLICY = "by_policy"  # admitted or denied, by nobody who knows the bucket
    ERRORS = "errors"
    HELD_BACK = "held_back"


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


def kind_of(outcome: Outcome, source: Source | None) -> OutcomeKind:
    """Return what a request that has ended counts as."""
    if outcome in ERRORS:
        return OutcomeKind.ERRORS
    if outcome is Outcome.HELD_BACK:
        return OutcomeKind.HELD_BACK
    if source in BY_POLICY:
        return OutcomeKind.BY_POLICY
    return OutcomeKind.DENIED if outcome is Outcome.DENIED else OutcomeKind.ADMITTED
