"""Hearers: who is to hear of what is charged here, a key's backups or the owner. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sidegate.buckets.buckets import BucketTable
    from sidegate.buckets.limits import Limits
    from sidegate.protocol.messages import Charge, Check
    from sidegate_sidecar.cluster.cluster import Cluster


class Hearers:
    """Those who hear of what one node charges. `wake` is called if there is something to do."""

    def __init__(self, buckets: BucketTable, cluster: Cluster, wake: Callable[[], None]) -> None:
        self.wake = wake
        self._buckets = buckets
        self._cluster = cluster

    @property
    def exist(self) -> bool:
        """Is there anybody: another owner, or a newcomer that has asked for what it will own?"""
        cluster = self._cluster
        return len(cluster.ring.nodes) > 1 or cluster.sync.is_pulled

    def charged(self, checks: Sequence[Check], now: int) -> None:
        """Have the backups hear of what these checks have charged.

        It is to be called before anybody else hears of it, as what is at risk goes out first.
        """
        sync = self._cluster.sync
        was_idle = not sync.has_changes
        if at_risk := sync.unsent.charge(checks):
            self._cluster.back_up(at_risk, now)
        if sync.is_urgent or ((was_idle or at_risk) and sync.has_changes):
            self.wake()

    def charged_beside(self, check: Check, now: int) -> None:
        """Have the backups hear, if there are any, of what was charged other than by a frame."""
        if self.exist:
            self.charged([check], now)
        self.carried()

    def carried(self) -> None:
        """Have the backups hear, if there are any, of buckets that were carried over."""
        if (carried := self._buckets.take_carried()) and self.exist:
            self.changed(carried)

    def stood_in(self, check: Check, limits: Limits, charge: Charge, now: int) -> None:
        """Tell the owner of a key of a check that was decided in its place."""
        sync = self._cluster.sync
        owner = sync.ring.pair(check[0])[0]
        if owner and owner != self._cluster.name:
            sync.stood_in(owner, check, limits, charge, now)
            self.wake()
        elif charge[2]:
            self.charged_beside(check, now)

    def changed(self, checks: Iterable[Check]) -> None:
        """Mark the buckets of these checks as changed, for their backups."""
        sync = self._cluster.sync
        was_idle = not sync.has_changes
        sync.changed.update(checks)
        if (was_idle and sync.changed) or sync.is_urgent:
            self.wake()
