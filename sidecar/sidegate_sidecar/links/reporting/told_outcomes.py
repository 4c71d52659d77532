"""Told outcomes: what apps have decided from memory or alone, counted where its keys are owned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sidegate.buckets.decision import Source
from sidegate.errors import KeyTooLong
from sidegate.protocol.codec import WireError
from sidegate.protocol.holds.lease_messages import Borrow
from sidegate.protocol.messages import MAX_KEY_BYTES
from sidegate.protocol.outcome_messages import Outcomes
from sidegate_sidecar.reports.series import Column

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sidegate.protocol.outcome_messages import KeyOutcome
    from sidegate_sidecar.links.peers import Peers
    from sidegate_sidecar.node.node import Node

SOURCES: Final = frozenset(
    map(str, (Source.REMEMBERED, Source.LEASE, Source.OPEN, Source.CLOSED, Source.LOCAL))
)
"""What owners don't see."""


class ToldOutcomes:
    """Takes what an app tells each second, and passes on what is about keys of other nodes.

    Once, to the owner; where that one can't be told now, it is counted here.
    """

    def __init__(self, node: Node, peers: Peers) -> None:
        self._node = node
        self._peers = peers

    def take(self, message: Outcomes) -> None:
        """Count all of it, or, if it makes no sense, nothing. WireError."""
        for key, source, *_ in message.keys:
            if source not in SOURCES:
                raise WireError("bad-message", f"source {source[:20]!r} is none that owners miss")
            if key is not None and len(key.encode()) > MAX_KEY_BYTES:
                raise WireError("bad-key", str(KeyTooLong(len(key.encode()), MAX_KEY_BYTES)))
        if message.hops:
            self._count(message.keys)
            return
        ring, me = self._node.cluster.ring, self._node.name
        of_owner: dict[str, list[KeyOutcome]] = {}
        for row in message.keys:
            owner = me if row[0] is None else ring.pair(row[0])[0]
            of_owner.setdefault(owner, []).append(row)
        for owner, rows in of_owner.items():
            if owner == me or not self._tell(owner, rows):
                self._count(rows)

    def _tell(self, owner: str, rows: list[KeyOutcome]) -> bool:
        link = self._peers.link_to(owner)
        if link is None or (link.lacks(Borrow) and any(row[1] == Source.LEASE for row in rows)):
            return False  # an older release knows no leases: the rows would end the link
        return link.tell(Outcomes([], rows, 1))

    def _count(self, rows: Iterable[KeyOutcome]) -> None:
        if (counting := self._node.counting) is None:
            return
        columns = Column.DENIED, Column.ALLOWED
        counting.told(
            [
                (key, source, columns[allowed], checks, tokens)
                for key, source, allowed, checks, tokens in rows
            ]
        )
