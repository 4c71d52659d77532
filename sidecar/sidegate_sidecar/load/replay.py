"""Replay: what an exact limiter admits and denies of the same requests. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate.buckets import Buckets
from sidegate.limits import SECOND
from sidegate_sidecar.load.scenario import MOST_KEYS

if TYPE_CHECKING:
    from sidegate.limits import Limits


class Replay:
    """An exact limiter that has not been asked for anything yet."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._buckets = Buckets(MOST_KEYS * len(limits))
        self._clock = 0

    def admits(self, key: int, at: float) -> bool:
        """Tell if it admits a request, and charge it; `at` in seconds, never back in time."""
        self._clock = max(self._clock, int(at * SECOND))
        self._buckets.sweep(self._clock, 2)
        allowed, _ = self._buckets.take(str(key), self._limits, 1, self._clock)
        return allowed
