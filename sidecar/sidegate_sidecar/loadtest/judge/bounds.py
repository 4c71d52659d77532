"""Refill: how much a limit lets through in some time, and what a kill may add to that. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sidegate.buckets.limits import Limit

LOST: Final = 0.15
"""Seconds: what a sidecar decides in the last of them before a kill may be lost with it. Changes
go to the backup every 0.1 s, and debts under 0.05 s not at all; a test holds the sum to these."""


def max_in(limit: Limit, seconds: float) -> int:
    """Return how many tokens a limit has for a key within so many seconds: burst plus refill.

    Of a quota all of each window that they may touch.
    """
    if limit.period is not None:
        return limit.tokens * (2 + int(seconds / limit.window))
    return limit.burst + int(seconds * limit.tokens / limit.window)
