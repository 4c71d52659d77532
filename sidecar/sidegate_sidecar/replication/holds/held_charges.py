"""Held charges: what reservations change in the buckets of a node. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidegate.buckets.buckets import BucketTable
    from sidegate.protocol.messages import Check
    from sidegate.reservations.held_row import HeldRow
    from sidegate_sidecar.replication.corrections.settling import Settling


class HeldCharges:
    """Gives back as refunds do, and has the backup hear of what is owed as of a check."""

    def __init__(
        self,
        table: BucketTable,
        settling: Settling,
        changed: set[Check],
        owns: Callable[[str], bool],
    ) -> None:
        self._table = table
        self._settling = settling
        self._changed = changed
        self._owns = owns

    def give_back(self, row: HeldRow, tokens: int, now: int) -> None:
        """Give tokens back that the row has charged, none beyond full."""
        self._settling.refund(row.key, row.limits, tokens, now, row.windows)

    def owe(self, row: HeldRow, tokens: int, now: int) -> None:
        """Charge tokens that were used, whether they are there or not."""
        self._table.owe(row.key, row.limits, tokens, now)
        if self._owns(row.key):  # else the owner adds it itself, when it hears of the row
            self._changed.add((row.key, row.limits.asked, 0))
