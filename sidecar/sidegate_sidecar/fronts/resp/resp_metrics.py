"""The metrics of the RESP port, read off when scraped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.registry import Collector

from sidegate_sidecar.telemetry.families import counter, gauge

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from prometheus_client import Metric

    from sidegate_sidecar.fronts.resp.refusals import RespCounts


class RespCollector(Collector):
    """The metrics of one RESP port: `connections` are those that are open."""

    def __init__(self, connections: Collection[object], counts: RespCounts) -> None:
        self._open = connections
        self._counts = counts

    def collect(self) -> Iterator[Metric]:
        """Give all metrics as they are now."""
        text = "Connections that are open to the RESP port."
        yield gauge("resp_connections", text, len(self._open))
        text = "Connections to the RESP port that were ended for a fault of the client, by reason."
        refused = {(reason,): count for reason, count in self._counts.refused.items()}
        yield counter("resp_refused", text, ("reason",), refused)
        text = "Checks that came over RESP, by source and outcome; sidegate_checks has them too."
        yield counter("resp_checks", text, ("source", "outcome"), self._counts.checks)
