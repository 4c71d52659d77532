"""The log of a sidecar: one line an event on stderr, with the time in UTC."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from sidegate_sidecar.log_limiter import LogLimiter
from sidegate_sidecar.text import visible

if TYPE_CHECKING:
    from collections.abc import Callable

BURST = 300  # lines of a kind at once: each node of the largest cluster comes, or goes
EVERY = 1.0  # seconds for one more of that kind: 9 MB a day, whatever comes
MAX_KINDS = 1_000  # three times those in the code and in what it is built on

LEVELS = ("debug", "info", "warning", "error")


class LineFormatter(logging.Formatter):
    """`2026-11-23T17:00:00.123Z info sidegate: text`; a traceback, if any, on the lines after it.

    What doesn't print is escaped: names of nodes come from elsewhere, and might forge a line.
    """

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # logging's name
        """Return the line."""
        level = record.levelname.lower()
        return f"{self.formatTime(record)} {level} {record.name}: {visible(record.message)}"


class FewOfAKind(logging.Filter):
    """Lets few lines through that one place in the code says, and counts the others.

    Many are said because of what others do: nodes come and go, addresses don't answer. A hundred at
    once are a cluster that is deployed; a thousand times that, somebody who fills a disk.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._limiters: dict[str, LogLimiter] = {}  # by format: as many as there are in the code

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether this line is said, with a word of those before it that weren't."""
        if len(self._limiters) >= MAX_KINDS and record.msg not in self._limiters:
            self._limiters.clear()
        limiter = self._limiters.setdefault(str(record.msg), LogLimiter(BURST, EVERY))
        said = limiter.line(record.getMessage(), self._clock())
        record.msg, record.args = said, ()
        return bool(said)


def log_to_stderr(level: str) -> None:
    """Send everything from this level (one of LEVELS) on to stderr."""
    handler = logging.StreamHandler()
    handler.setFormatter(LineFormatter())
    handler.addFilter(FewOfAKind())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
