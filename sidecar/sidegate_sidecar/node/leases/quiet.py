"""Quiet: for how long an owner lends nothing, since keys may just have changed hands. Pure.

While nodes don't agree yet who owns a key, two may decide about it, and of what they charge the
larger debt counts. What is lent is charged in one go, so it could be lost in one go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate.buckets.lending import LAPSE
from sidegate_sidecar.cluster.place.stages import Stage

if TYPE_CHECKING:
    from typing import TypeAlias

    from sidegate_ring.hashring import Ring
    from sidegate_sidecar.cluster.cluster import Cluster
    from sidegate_sidecar.cluster.routes.detour import Detour
    from sidegate_sidecar.cluster.routes.nowhere import Nowhere

    _Seen: TypeAlias = tuple[Ring, Ring | Detour | Nowhere, int]


class Quiet:
    """The time after another ring, another route, or a standstill, as the longest lease."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._seen: _Seen | None = None
        self._until = 0

    def lasts(self, now: int) -> bool:
        """Is it that time? It begins when that is found out, here."""
        cluster, seen = self._cluster, self._seen
        returns = cluster.place.passages[Stage.RETURNING].count
        is_same = (
            seen is not None
            and seen[0] is cluster.ring
            and seen[1] is cluster.route
            and seen[2] == returns
        )
        if not is_same:
            self._seen = cluster.ring, cluster.route, returns
            self._until = now + LAPSE
        return now < self._until
