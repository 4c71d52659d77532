"""Row messages: reservations as they are written for other nodes, and read again. Pure.

Times go as what is left, so clocks needn't agree. With each row goes what its buckets owe. So who
has an open row has its charge as well; and who gives back, since one isn't open any more, doesn't
lose what was charged since it heard of the bucket last.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate.buckets.limits import parse_limits
from sidegate.buckets.windows import dated, undated
from sidegate.protocol.holds.reservation_messages import MAX_TTL
from sidegate.protocol.messages import require_key
from sidegate.reservations.held_row import HeldRow, HoldState

if TYPE_CHECKING:
    from sidegate.buckets.buckets import BucketTable
    from sidegate.protocol.holds.reservation_messages import WrittenRow

_LONGEST = MAX_TTL * 10**6  # ns


def written(row: HeldRow, table: BucketTable, now: int) -> WrittenRow:
    """Return a row for another node, with the debts of its buckets as they are now."""
    limits = row.limits
    tokens = row.asked, row.held, int(row.state), row.actual, row.change
    _, owed = table.take(row.key, limits, 0, now)
    windows = [row.windows[at] for at in limits.windows] if row.windows else []
    return row.key, row.name, dated(limits, windows), tokens, (row.ends_at - now, row.serial), owed


def read(message: WrittenRow, now: int) -> HeldRow:
    """Return the row in a message. ValueError for nonsense."""
    key, name, text, (asked, held, state, actual, change), (left, serial), owed = message
    require_key(key)
    text, windows = undated(text)
    limits = parse_limits(text)
    if len(windows) not in {0, len(limits)}:
        raise ValueError(f"{len(windows)} windows of {text!r}: expected one for each limit")
    if len(owed) not in {0, len(limits) + 2 * len(limits.windows)}:
        raise ValueError(f"{len(owed)} debts of {text!r}: expected one for each limit")
    ends_at = now + min(
        left, _LONGEST
    )  # it has more where the end in an id was read by a late clock
    row = HeldRow(key, name, limits, asked, held, ends_at, windows)
    row.state, row.actual, row.change, row.serial = HoldState(state), actual, change, serial
    return row


def merge_owed(row: HeldRow, owed: list[int], table: BucketTable, now: int) -> None:
    """Have the buckets of a row owe at least what they do at its sender, but those of the past."""
    limits = row.limits
    numbers = dict(zip(limits.windows, owed[len(limits) :][1::2], strict=False))
    for at, (limit, debt) in enumerate(zip(limits.items, owed, strict=False)):
        window = table.windows.of_limit(limit)
        if window is None or window.enter(numbers[at], now):
            table.merge(row.key, limit, debt, now)
