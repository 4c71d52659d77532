"""Metrics of leases, read off what their owner has lent when scraped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate_sidecar.telemetry.families import counter, gauge

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import Metric

    from sidegate.buckets.lending import Lending


def lease_metrics(lending: Lending, now: int) -> Iterator[Metric]:
    """Give the metrics of what a node has lent, as of `now` (ns): what nobody gives back lapses."""
    lending.lapse(now)
    text = "Leases of tokens that this node has lent to apps, and that aren't over."
    yield gauge("leases_open", text, len(lending))
    text = (
        "Tokens of leases by what became of them here: lent, returned to their buckets, or lapsed,"
        " of which nobody has said what was spent."
    )
    tokens = {
        ("lent",): lending.lent,
        ("returned",): lending.returned,
        ("lapsed",): lending.lapsed,
    }
    yield counter("lease_tokens", text, ("fate",), tokens)
