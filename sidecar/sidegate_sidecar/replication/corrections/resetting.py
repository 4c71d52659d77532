"""Resetting: what a reset does on the node where it is made, and on those that hear of it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate.protocol.messages import require_key
from sidegate_sidecar.replication.corrections.resets import LASTS, KnownReset

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidegate.buckets.buckets import BucketTable
    from sidegate.protocol.messages import Resets
    from sidegate_sidecar.replication.corrections.resets import KnownResets
    from sidegate_sidecar.replication.corrections.stand_in_ledgers import StandInLedgers


class Resetting:
    """Makes buckets full, once for each reset; `on_reset` is told the key."""

    def __init__(
        self,
        table: BucketTable,
        resets: KnownResets,
        ledgers: StandInLedgers,
        on_reset: Callable[[str], None],
    ) -> None:
        self._table = table
        self._resets = resets
        self._ledgers = ledgers
        self._on_reset = on_reset

    def reset(self, key: str, number: int, now: int, *, left: int = 0, by: str = "") -> None:
        """Do a reset unless its number is known, and remember it while old copies may be in debt.

        For `left` ns at least; `by` is the node that told of it.
        """
        held = [limit.capacity // limit.scale for limit, _ in self._table.held(key, now)]
        if self._resets.add(number, KnownReset(key, now + max(left, LASTS, *held)), by):
            self._table.reset(key)
            self._ledgers.forget(key)
            self._on_reset(key)

    def learn(self, sender: str, message: Resets, now: int) -> None:
        """Do the resets that another node tells of. ValueError for a key that can't be one."""
        for number, key, left in message.resets:
            require_key(key)
            self.reset(key, number, now, left=left, by=sender)
