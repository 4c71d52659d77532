"""Standing: what a node says of its place when another one asks. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate.protocol.standing_messages import Standing

if TYPE_CHECKING:
    from sidegate_sidecar.cluster.cluster import Cluster


def standing_of(cluster: Cluster, number: int = 0) -> Standing:
    """Return how a node stands, as the answer to the question of that number."""
    return Standing(number, str(cluster.stage), cluster.sync.counts.handed)
