"""What the gRPC port has answered and refused: counted, and told in a few lines of the log."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from prometheus_client.registry import Collector

from sidegate.buckets.decision import Source
from sidegate_sidecar.fronts.envoy.rls_messages import Code
from sidegate_sidecar.fronts.limited_log import LimitedLog
from sidegate_sidecar.telemetry.families import counter, gauge

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import Metric

    from sidegate_sidecar.fronts.envoy.ratelimit_files import RatelimitFiles

REASONS: Final = (
    "fault",  # of ours; the log says more
    "malformed",  # no request, or one that makes no sense
    "method",  # no method that there is
    "secret",  # without the secret
)
NO_LIMIT: Final = "none"  # source of a call for which there is no limit
_DONE: Final[dict[Source | None, str]] = {
    Source.OPEN: "let a call of Envoy's through",
    Source.CLOSED: "refused a call of Envoy's",
}


class RlsCounts:
    """Counts and logs. `now` is in seconds; others decide how often, so not each is told."""

    def __init__(self) -> None:
        sources = (NO_LIMIT, *Source)
        codes = [code.name.lower() for code in Code]
        self.calls: Counter[tuple[str, str]] = Counter()
        self.calls.update({(code, str(source)): 0 for code in codes for source in sources})
        self.refused: Counter[str] = Counter(dict.fromkeys(REASONS, 0))
        self._refusals = LimitedLog("refused gRPC calls: %s")
        self._undecided = LimitedLog("calls of Envoy's that nobody could decide: %s")

    def answered(self, code: Code, source: Source | None, now: float) -> None:
        """Count a call, and say so where nobody could be asked."""
        self.calls[code.name.lower(), str(source or NO_LIMIT)] += 1
        if done := _DONE.get(source):
            line = f"{done}: nobody who could decide it can be asked ({source})"
            self._undecided.warn(line, now)

    def refuse(self, reason: str, why: str, peer: str, now: float) -> None:
        """Count a call that got an error."""
        self.refused[reason] += 1
        self._refusals.warn(f"refused a gRPC call of {peer}: {reason} ({why})", now)

    def tell_rest(self, now: float) -> None:
        """Log how many were not told, once there is room for that line."""
        self._refusals.warn_rest(now)
        self._undecided.warn_rest(now)


class RlsCollector(Collector):
    """The metrics of one gRPC port."""

    def __init__(self, counts: RlsCounts, files: RatelimitFiles | None) -> None:
        self._counts = counts
        self._files = files

    def collect(self) -> Iterator[Metric]:
        """Give all metrics as they are now."""
        text = "Calls of Envoy's rate limit service, by code and by the source least sure of it."
        yield counter("rls_calls", text, ("code", "source"), self._counts.calls)
        text = "Calls of the gRPC port that got an error, by reason."
        refused = {(reason,): count for reason, count in self._counts.refused.items()}
        yield counter("rls_refused", text, ("reason",), refused)
        text = "Whether a file of limits can't be read since it has changed; what it said holds."
        yield gauge("ratelimit_yaml_failing", text, bool(self._files and self._files.fault))
