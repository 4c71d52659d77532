"""LimitedLog: warnings of a front whose number others decide, told in a few lines of the log."""

from __future__ import annotations

import logging

from sidegate_sidecar.log_limiter import LogLimiter

log = logging.getLogger("sidegate")


class LimitedLog:
    """Warns of one kind of thing; `rest` is the line that says how many (%s) weren't told.

    `now` is in seconds.
    """

    def __init__(self, rest: str) -> None:
        self._rest = rest
        self._lines = LogLimiter()

    @property
    def keeps_some(self) -> bool:
        """Is there a line that wasn't told, nor counted in another?"""
        return self._lines.keeps_some

    def warn(self, line: str, now: float) -> None:
        """Log a line, unless there were many."""
        if said := self._lines.line(line, now):
            log.warning("%s", said)

    def warn_rest(self, now: float) -> None:
        """Log how many were not told, once there is room for that line."""
        if others := self._lines.rest(now):
            log.warning(self._rest, others)
