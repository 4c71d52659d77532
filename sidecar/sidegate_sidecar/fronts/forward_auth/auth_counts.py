"""What the forward-auth port answers and refuses: counted, and told in a few lines of the log."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from prometheus_client.registry import Collector

from sidegate.buckets.decision import Source
from sidegate_sidecar.fronts.least_sure import ALONE
from sidegate_sidecar.fronts.limited_log import LimitedLog
from sidegate_sidecar.telemetry.families import counter, gauge

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from prometheus_client import Metric

REASONS: Final = (
    "busy",  # as many are open as may be, or had to go for a newer one before it had said much
    "malformed",  # no HTTP/1.1
    "path",  # asked at none of the paths that there are
    "proxy",  # a field is missing that the proxy has to write
    "secret",  # no proxy that was named, and without the secret
    "timeout",  # took too long over something
    "tls",  # no handshake
    "too-long",  # a head or a body
)
OUTCOMES: Final = ("allowed", "denied", "malformed")
NO_RULE: Final = "none"  # source of an answer for which nobody was asked
_NOT_TOLD: Final = frozenset({"busy", "timeout"})  # of silent ones there are many


class AuthCounts:
    """Counts and logs. Others decide how often something happens, so not each is told."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.refused: Counter[str] = Counter(dict.fromkeys(REASONS, 0))
        self.requests: Counter[tuple[str, str]] = Counter()
        for source in (NO_RULE, *Source):
            self.requests.update({(outcome, str(source)): 0 for outcome in OUTCOMES})
        self._clock = clock
        self._refusals = LimitedLog("refused what proxies asked: %s")
        self._undecided = LimitedLog("requests of proxies that nobody could decide: %s")

    def refuse(self, reason: str, remote: str, why: str = "") -> None:
        """Count what was refused to somebody."""
        self.refused[reason] += 1
        if reason not in _NOT_TOLD:
            said = f"{reason} ({why})" if why else reason
            self._refusals.warn(f"refused what {remote} asked: {said}", self._clock())

    def answered(self, outcome: str, source: Source | None = None) -> None:
        """Count a request, and say so where nobody could be asked."""
        self.requests[outcome, source or NO_RULE] += 1
        if source in ALONE:
            line = f"requests of proxies are {outcome}: nobody can be asked who could decide them"
            self._undecided.warn(f"{line} ({source})", self._clock())

    def tell_rest(self) -> None:
        """Log how many were not told, once there is room for that line."""
        now = self._clock()
        self._refusals.warn_rest(now)
        self._undecided.warn_rest(now)


class AuthCollector(Collector):
    """The metrics of one forward-auth port: `connections` are those that are open."""

    def __init__(self, connections: Collection[object], counts: AuthCounts) -> None:
        self._open = connections
        self._counts = counts

    def collect(self) -> Iterator[Metric]:
        """Give all metrics as they are now."""
        text = "Connections that are open to the forward-auth port."
        yield gauge("auth_connections", text, len(self._open))
        text = "What was refused at the forward-auth port, by reason."
        refused = {(reason,): count for reason, count in self._counts.refused.items()}
        yield counter("auth_refused", text, ("reason",), refused)
        text = "Requests that proxies asked about, by outcome and by the source least sure of it."
        yield counter("auth_requests", text, ("outcome", "source"), self._counts.requests)
