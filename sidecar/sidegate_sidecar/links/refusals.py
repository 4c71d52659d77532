"""Refusals: what is counted and logged of those who were turned away."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from sidegate_sidecar.log_limiter import LogLimiter

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable

log = logging.getLogger("sidegate")


class Refusals:
    """Counts each in `counts`, by its code, and logs some.

    The other side decides how many there are, so most are only counted. Each code has lines of its
    own: what strangers cause doesn't keep back that an app has the wrong secret.
    """

    def __init__(self, counts: Counter[str], clock: Callable[[], float]) -> None:
        self.limiters: dict[str, LogLimiter] = {}  # codes are ours, so they are few
        self.make_limiter: Callable[[], LogLimiter] = LogLimiter
        self._counts = counts
        self._clock = clock

    def turned_away(self, code: str, who: str, why: str) -> None:
        """Count one that we refuse, and tell of it."""
        self._counts[code] += 1
        if code != "self":  # our own seed is usual
            self.say(code, f"refused {who}: {why} ({code})")

    def say(self, code: str, line: str) -> None:
        """Log a line, if there wasn't one with this code just now."""
        limiter = self.limiters.get(code)
        if limiter is None:
            limiter = self.limiters[code] = self.make_limiter()
        if said := limiter.line(line, self._clock()):
            log.warning("%s", said)

    def say_rest(self) -> None:
        """Tell how many were kept back, where it is time; to be called now and then."""
        now = self._clock()
        for code, limiter in self.limiters.items():
            if others := limiter.rest(now):
                log.warning("refused %s (%s)", others, code)
