"""Hearers: who is to hear of what is charged here, a key's backups or the owner. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sidegate.buckets.buckets import BucketTable
    from sidegate.buckets.limits import Limits
    from sidegate.protocol.messages import Charge, Check
    from sidegate_sidecar.cluster.cluster import Cluster


class Hearers:
    """Those who hear of the charges of one node. `wake` is called where there is something to do.

    `unsent` are the tokens that no backup has heard of yet, by the text of limits and key; see
    `replication/early/`.
    """

    def __init__(self, buckets: BucketTable, cluster: Cluster, wake: Callable[[], None]) -> None:
        self.wake = wake
        self.unsent = cluster.sync.unsent
        self._buckets = buckets
        self._cluster = cluster

    @property
    def exist(self) -> bool:
        """Is there anybody: another owner, or a newcomer that has asked for what it will own?"""
        cluster = self._cluster
        return len(cluster.ring.nodes) > 1 or cluster.sync.is_pulled

    def charged(self, check: Check, limits: Limits, now: int) -> None:
        """Have the backups hear of what was charged beside checks, if there are any.

        It is to be called before anybody else hears of it, as what is at risk goes out first.
        """
        if not self.exist:
            return
        key, text, cost = check
        unsent = self.unsent[text]
        count = unsent[key] = unsent.get(key, 0) + cost
        sent = self._cluster.back_up([check], now) if count > limits.max_unsent else ()
        changes = (*(() if check in sent else (check,)), *self._buckets.take_carried())
        if changes:
            self.changed(changes)
            self.wake()

    def stood_in(self, check: Check, limits: Limits, charge: Charge, now: int) -> None:
        """Tell the owner of a key of a check that was decided in its place."""
        sync = self._cluster.sync
        owner = sync.ring.pair(check[0])[0]
        if owner and owner != self._cluster.name:
            sync.stood_in(owner, check, limits, charge, now)
            self.wake()
        elif charge[2]:
            self.charged(check, limits, now)

    def changed(self, checks: Iterable[Check]) -> None:
        """Mark the buckets of these checks as changed, for their backups."""
        sync = self._cluster.sync
        was_idle = not sync.changed
        sync.changed.update(checks)  # one call for all: half the cost of adding each
        if (was_idle and sync.changed) or sync.is_urgent:
            self.wake()
