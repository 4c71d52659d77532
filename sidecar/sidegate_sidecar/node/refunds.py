"""Refunds: tokens that are given back here, or by the nodes that own their keys. Pure.

A refund may get lost, since then too little is let through, but must never count where its charge
doesn't. So it goes by the ring that all nodes agree on, once, to the owner; and only an owner that
was told everything gives back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from sidegate.buckets.limits import known_limits, require_cost
from sidegate.buckets.windows import undated
from sidegate.errors import SidegateError
from sidegate.protocol.messages import MAX_HOPS, MAX_KEY_BYTES, Refund, require_key
from sidegate_sidecar.node.counts import RefundOutcome

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sidegate.protocol.messages import Check
    from sidegate_ring.hashring import Ring
    from sidegate_sidecar.cluster.cluster import Cluster
    from sidegate_sidecar.node.counts import Counts
    from sidegate_sidecar.node.failover import Links
    from sidegate_sidecar.node.local import Local

Row = TypeVar("Row", bound=tuple[Any, ...])  # of which the first is a key


class Refunds:
    """What one node is told to give back."""

    def __init__(self, cluster: Cluster, links: Links, local: Local, counts: Counts) -> None:
        self._cluster = cluster
        self._links = links
        self._local = local
        self._counts = counts.refunds

    def take(self, message: Refund, now: int) -> None:
        """Give back what is ours, have the owners of the rest do it, and drop what can't be."""
        by_owner = rows_by_owner(self._cluster.ring, message.checks)
        for check in by_owner.pop(self._cluster.name, ()):
            if self._cluster.decides(check[0]) and self._give_back(check, now):
                self._counts[RefundOutcome.GIVEN_BACK] += 1
            else:
                self._counts[RefundOutcome.DROPPED] += 1
        for owner, checks in by_owner.items():
            is_told = message.hops < MAX_HOPS and self._tell(owner, message.hops + 1, checks)
            outcome = RefundOutcome.FORWARDED if is_told else RefundOutcome.DROPPED
            self._counts[outcome] += len(checks)

    def _tell(self, owner: str, hops: int, checks: list[Check]) -> bool:
        link = self._links.link_to(owner)
        return link is not None and link.tell(Refund(hops, checks))

    def _give_back(self, check: Check, now: int) -> bool:
        """Give back what a check of a key of ours has charged; False if it makes no sense.

        And if too many limits are new in this turn, of which these are one.
        """
        key, text, cost = check
        try:
            require_key(key)
            text, windows = undated(text)
            limits = known_limits(text) or self._local.read(text)
            require_cost(cost, limits)
            if cost:
                self._cluster.sync.refund(key, limits, cost, now, windows)
        except (SidegateError, ValueError):
            return False
        return cost > 0


def owner_of(ring: Ring, key: str) -> str:
    """Return the node that owns a key; "" for one that is too long, and if nobody does."""
    return ring.pair(key)[0] if len(key) <= MAX_KEY_BYTES else ""


def rows_by_owner(ring: Ring, rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Return rows that begin with a key by the owners of these."""
    by_owner: dict[str, list[Row]] = {}
    for row in rows:
        by_owner.setdefault(owner_of(ring, row[0]), []).append(row)
    return by_owner
