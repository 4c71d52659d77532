"""Replay: what an exact limiter admits and denies of the same requests. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate.buckets.buckets import BucketTable
from sidegate.buckets.limits import SECOND

if TYPE_CHECKING:
    from sidegate.buckets.limits import Limits


_MAX_MEMORY = 8 << 30  # bytes: nothing is ever forgotten of 1,000,000 keys under eight limits


class Replay:
    """An exact limiter that has not been asked for anything yet.

    `begun` is when its time began, in seconds since 1970: windows of quotas go by that.
    """

    def __init__(self, limits: Limits, begun: float = 0.0) -> None:
        self._limits = limits
        self._buckets = BucketTable(_MAX_MEMORY)
        self._buckets.windows.set(round(begun * SECOND))
        self._clock = 0

    def admits(self, key: int, at: float) -> bool:
        """Tell if it admits a request, and charge it; `at` in seconds, never back in time."""
        self._clock = max(self._clock, int(at * SECOND))
        self._buckets.sweep(self._clock, 2)
        allowed, _ = self._buckets.take(str(key), self._limits, 1, self._clock)
        return allowed
