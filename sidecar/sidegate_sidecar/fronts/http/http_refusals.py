"""What the HTTP port refuses: counted by its reason, and told in a few lines of the log."""

from __future__ import annotations

from collections import Counter

from sidegate_sidecar.fronts.limited_log import LimitedLog

REASONS = (
    "busy",  # had to go, because a newer connection had no room
    "host",  # asked for a host that strangers may own
    "malformed",  # no HTTP/1.1
    "origin",  # sent by the page of another site
    "secret",  # without the secret
    "timeout",  # took too long over something
    "too-long",  # a head or a body
    "type",  # something else than JSON
)
_NOT_TOLD = frozenset({"busy", "timeout"})  # of silent ones there are many, and nothing to tell


class HttpRefusals:
    """Counts and logs. `now` is in seconds; strangers decide how often, so not each is told."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter(dict.fromkeys(REASONS, 0))
        self._log = LimitedLog("refused HTTP requests: %s")

    @property
    def keeps_some(self) -> bool:
        """Is there something that the log doesn't tell yet?"""
        return self._log.keeps_some

    def add(self, reason: str, status: int, peer: str, now: float) -> None:
        """Count what was refused to somebody."""
        self.counts[reason] += 1
        if reason not in _NOT_TOLD:
            self._log.warn(f"refused an HTTP request of {peer}: {reason} ({status})", now)

    def tell_rest(self, now: float) -> None:
        """Log how many were not told, once there is room for that line."""
        self._log.warn_rest(now)
