"""What the RESP port refuses, and what it answers: counted, and told in a few lines of the log."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from sidegate.buckets.decision import Source
from sidegate_sidecar.fronts.limited_log import LimitedLog

if TYPE_CHECKING:
    from collections.abc import Callable

REASONS = (
    "busy",  # as many are open as may be, or had to go for a newer one before it had said much
    "http",  # spoke HTTP
    "malformed",  # no RESP, or more of it than may be
    "secret",  # a wrong one
    "timeout",  # took too long over something
    "tls",  # no handshake
)
_NOT_TOLD = frozenset({"busy", "timeout"})  # of silent ones there are many, and nothing to tell
_ALONE = frozenset({Source.OPEN.value, Source.CLOSED.value, Source.LOCAL.value})
_SOURCES = frozenset(source.value for source in Source)
OUTCOMES = ("allowed", "denied", "error")


class RespCounts:
    """Counts and logs. Others decide how often something happens, so not each is told."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.refused: Counter[str] = Counter(dict.fromkeys(REASONS, 0))
        self.checks: Counter[tuple[str, str]] = Counter()
        for source in (Source.OWNER, Source.BACKUP, Source.LOCAL, Source.OPEN, Source.CLOSED):
            self.checks.update({(source.value, outcome): 0 for outcome in OUTCOMES})
        self._clock = clock
        self._refusals = LimitedLog("ended RESP connections: %s")
        self._answers = LimitedLog("checks over RESP answered without an owner: %s frames")

    def refuse(self, reason: str, remote: str) -> None:
        """Count somebody who was ended."""
        self.refused[reason] += 1
        if reason not in _NOT_TOLD:
            self._refusals.warn(f"ended a RESP connection of {remote}: {reason}", self._clock())

    def told(self, source: str, allowed: int, denied: int, errors: int) -> None:
        """Count what was decided, by a source that may be a newer node's."""
        known = source if source in _SOURCES else "other"
        for outcome, count in zip(OUTCOMES, (allowed, denied, errors), strict=True):
            if count:
                self.checks[known, outcome] += count
        if known in _ALONE:
            self._tell_alone(known)

    def _tell_alone(self, source: str) -> None:
        line = f"checks over RESP are answered {source}: nobody can be asked who could decide them"
        self._answers.warn(line, self._clock())

    def tell_rest(self) -> None:
        """Log how many were not told, once there is room for that line."""
        now = self._clock()
        self._refusals.warn_rest(now)
        self._answers.warn_rest(now)
