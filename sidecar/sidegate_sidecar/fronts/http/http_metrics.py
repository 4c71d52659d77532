"""The metrics of the HTTP port, read off when scraped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.registry import Collector

from sidegate_sidecar.telemetry.families import counter, gauge

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from prometheus_client import Metric

    from sidegate_sidecar.fronts.http.http_refusals import HttpRefusals


class HttpCollector(Collector):
    """The metrics of one HTTP port: `connections` are those that are open."""

    def __init__(self, connections: Collection[object], refusals: HttpRefusals) -> None:
        self._open = connections
        self._refusals = refusals

    def collect(self) -> Iterator[Metric]:
        """Give all metrics as they are now."""
        text = "Connections that are open to the HTTP port."
        yield gauge("http_connections", text, len(self._open))
        text = "What the HTTP port refused, by reason: connections (busy, timeout) and requests."
        refused = {(reason,): count for reason, count in self._refusals.counts.items()}
        yield counter("http_refused", text, ("reason",), refused)
