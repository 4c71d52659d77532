"""Lacking: what a node is still to be sent of what is known here. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sidegate.buckets.limits import parse_limits

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sidegate.protocol.messages import Check
    from sidegate_sidecar.replication.corrections.resets import KnownResets
    from sidegate_sidecar.replication.corrections.stand_in_ledgers import StandInLedgers
    from sidegate_sidecar.replication.holds.row_copies import RowCopies
    from sidegate_sidecar.replication.outgoing.outboxes import Outboxes


@dataclass(frozen=True, slots=True)
class Lacking:
    """What has been merged by other nodes, with no walk to do."""

    outboxes: Outboxes
    ledgers: StandInLedgers
    resets: KnownResets
    rows: RowCopies

    def owed(self, unsent: Iterable[Check]) -> set[tuple[str, str]] | None:
        """Return the buckets that nodes haven't merged yet, with those of changes to be sent.

        None if more waited than may, so that it can't be told.
        """
        if self.outboxes.overflowed:
            return None
        owed = {*self.outboxes.unmerged()} | self.ledgers.unsettled()
        for key, texts, _ in unsent:
            owed |= {(limit.text, key) for limit in parse_limits(texts).items}
        return owed

    def has_buckets(self, name: str) -> bool:
        """Has a node all buckets, and rows of reservations?"""
        box = self.outboxes.get(name)
        return not ((box and box.lacks_some) or self.rows.lacks_some(name))

    def has_changes(self, name: str) -> bool:
        """Has a node all that has changed, whatever a walk has found for it?"""
        box = self.outboxes.get(name)
        waits = name in self.ledgers or self.resets.is_deaf(name) or self.rows.lacks_some(name)
        return not (waits or (box and box.has_changes))

    def has_all(self, name: str) -> bool:
        """Has a node everything?"""
        return self.has_buckets(name) and self.has_changes(name)
