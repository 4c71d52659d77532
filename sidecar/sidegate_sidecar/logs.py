"""The log of a sidecar: one line an event on stderr, with the time in UTC."""

from __future__ import annotations

import logging
import time

from sidegate_sidecar.visible import visible

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


def log_to_stderr(level: str) -> None:
    """Send everything from this level (one of LEVELS) on to stderr."""
    handler = logging.StreamHandler()
    handler.setFormatter(LineFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
