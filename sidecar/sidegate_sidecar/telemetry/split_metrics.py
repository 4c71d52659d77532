"""Metrics of splits, read off a node when scraped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate_sidecar.telemetry.families import counter, gauge

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import Metric

    from sidegate_sidecar.cluster.split.side import Side


def split_metrics(side: Side) -> Iterator[Metric]:
    """Give the metrics of the side on which a node is."""
    text = "Share of each limit that this side serves: 1 if it misses nobody, 0 if it is too small."
    yield gauge("split_share", text, side.share)
    text = "Nodes that count and aren't reached: dead, or on another side of a split."
    yield gauge("split_lost_nodes", text, len(side.lost))
    text = "Times that this side came to serve less than whole limits."
    yield counter("split_losses", text, (), {(): side.losses})
