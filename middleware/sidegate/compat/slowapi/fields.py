"""The fields of a response that tell of limits, as slowapi names and writes them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC
from email.utils import formatdate, parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.datastructures import MutableHeaders

    from sidegate.compat.slowapi.counts.rate_limiter import WindowStats
    from sidegate.compat.slowapi.rates import RateLimitItem

HTTP_DATE = "http-date"


@dataclass(slots=True)
class HeaderNames:
    """What the fields are called, and whether Retry-After is a date."""

    limit: str
    remaining: str
    reset: str
    retry_after: str
    has_dates: bool

    def tell(self, headers: MutableHeaders, rate: RateLimitItem, stats: WindowStats) -> None:
        """Set the fields. A Retry-After that the app has set, and that is later, stays in force."""
        reset = 1 + stats.reset_time  # as slowapi: beyond the window, never within it
        headers[self.limit] = str(rate.amount)
        headers[self.remaining] = str(stats.remaining)
        headers[self.reset] = str(reset)
        now = time.time()
        until = max(reset, _time_of(headers.get("Retry-After"), now))
        wait = str(max(int(until - now), 0))
        headers[self.retry_after] = formatdate(until, usegmt=True) if self.has_dates else wait


def _time_of(retry_after: str | None, now: float) -> int:
    """Return the time that a Retry-After says, in seconds since 1970; 0 for none."""
    try:
        if retry_after is None or retry_after.isdecimal():
            return int(now) + int(retry_after) if retry_after else 0
        date = parsedate_to_datetime(retry_after)
        return int((date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        return 0
