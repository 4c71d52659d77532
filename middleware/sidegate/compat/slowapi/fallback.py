"""What decides while nobody else can: counts of this process, where they are switched on."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sidegate.compat.slowapi.counts.counts import ProcessCounts
from sidegate.compat.slowapi.counts.rate_limiter import RateLimiter, Storage
from sidegate.compat.slowapi.rates import NAMESPACE

if TYPE_CHECKING:
    import logging

    from sidegate.compat.slowapi.wrappers import LimitGroup

_MAX_PAUSE = 32.0  # seconds until a request asks the sidecar again, as slowapi


class MemoryFallback:
    """Limits in this process, from when nobody could decide until a request finds the sidecar back.

    `groups` are those that apply then; without any, the usual ones do.
    """

    def __init__(self, groups: list[LimitGroup], strategy: str, logger: logging.Logger) -> None:
        self.groups = groups
        self.rates = RateLimiter(Storage(ProcessCounts(), NAMESPACE), strategy)
        self.is_on = False
        self._log = logger
        self._pause = 1.0
        self._asks_at = 0.0

    def decides_now(self) -> bool:
        """Tell whether a request goes by the fallback; every few seconds one asks the sidecar."""
        now = time.monotonic()
        if not self.is_on:
            return False
        if now < self._asks_at:
            return True
        self._wait(now)
        return False

    def heard(self, *, is_undecided: bool) -> None:
        """Called when a request has asked: did nobody decide?"""
        if is_undecided and not self.is_on:
            self._log.warning("Rate limit storage unreachable - falling back to in-memory storage")
            self._pause = 1.0
            self._wait(time.monotonic())
        elif self.is_on and not is_undecided:
            self._log.info("Rate limit storage recovered")
        self.is_on = is_undecided

    def _wait(self, now: float) -> None:
        self._asks_at = now + self._pause
        self._pause = min(self._pause * 2, _MAX_PAUSE)
