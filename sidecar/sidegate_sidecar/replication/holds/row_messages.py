"""Row messages: reservations as they are written for other nodes, and read again. Pure.

Times go as ages and as what is left, so clocks needn't agree. With each row goes what its buckets
owe, so that who has an open row has its charge as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate.buckets.limits import parse_limits
from sidegate.protocol.holds.reservation_messages import MAX_TTL
from sidegate.protocol.messages import require_key
from sidegate.reservations.held_row import HeldRow, HoldState

if TYPE_CHECKING:
    from sidegate.buckets.buckets import BucketTable
    from sidegate.protocol.holds.reservation_messages import WrittenRow

_MS = 10**6  # ns
"""A node's clock begins with its machine, so what was charged before has a negative time there."""


def written(row: HeldRow, table: BucketTable, now: int) -> WrittenRow:
    """Return a row for another node, with the debts of its buckets as they are now."""
    tokens = row.asked, row.held, int(row.state), row.actual, row.change
    times = max(now - row.charged_at, 0), row.ends_at - now, row.serial
    debts: list[int] = []
    if row.state is HoldState.OPEN and not row.limits.is_blocked:
        _, debts = table.take(row.key, row.limits, 0, now)
    return row.key, row.name, row.limits.asked, tokens, times, debts


def read(message: WrittenRow, now: int) -> tuple[HeldRow, list[int]]:
    """Return the row in a message, and the debts of its buckets. ValueError for nonsense."""
    key, name, text, (asked, held, state, actual, change), (age, left, serial), debts = message
    require_key(key)
    limits = parse_limits(text)
    if len(debts) not in {0, len(limits)}:
        raise ValueError(f"{len(debts)} debts of {text!r}: expected one for each limit")
    if left > MAX_TTL * _MS:
        raise ValueError(f"a reservation of {left / 1e9:.0f} s more: expected at most an hour")
    row = HeldRow(key, name, limits, asked, held, now - age, now + left)
    row.state, row.actual, row.change, row.serial = HoldState(state), actual, change, serial
    return row, debts
