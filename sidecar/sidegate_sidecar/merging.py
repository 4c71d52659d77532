"""To merge: what other nodes send is taken into the table, and what it shows is counted. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sidegate.limits import parse_limits
from sidegate.wire import SURELY_SHORT_KEY, require_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidegate.buckets import Buckets as Table
    from sidegate.limits import Limit
    from sidegate.wire import Buckets


@dataclass(slots=True)
class SyncCounts:
    """What was sent and merged."""

    sent: int = 0  # buckets
    merged: int = 0
    resent: int = 0  # buckets whose message got no answer
    over_admitted: float = 0.0  # tokens admitted beyond a limit, as far as a merge showed


def merge(message: Buckets, table: Table, counts: SyncCounts, now: int) -> None:
    """Take buckets into a table; ValueError for those that make no sense."""
    for at, (text, keys, debts) in enumerate(message.groups):
        limit = _limit_of(text, keys, debts)
        if at < len(message.charged):
            charged = message.charged[at]
            if len(charged) != len(keys):
                raise ValueError(f"{len(keys)} keys, {len(charged)} of them charged")
            counts.over_admitted += _over(table, limit, keys, charged, now)
        table.merge_all(limit, keys, debts, now)
        counts.merged += len(keys)


def _limit_of(text: str, keys: Sequence[str], debts: Sequence[int]) -> Limit:
    if len(keys) != len(debts):
        raise ValueError(f"{len(keys)} keys with {len(debts)} debts: expected as many")
    if max(map(len, keys), default=0) > SURELY_SHORT_KEY:
        for key in keys:
            require_key(key)
    limits = parse_limits(text)
    if len(limits.items) != 1:
        raise ValueError(f"buckets of {text!r}: expected one limit")
    return limits.items[0]


def _over(
    table: Table, limit: Limit, keys: Sequence[str], charged: Sequence[int], now: int
) -> float:
    """Return the tokens that two nodes admitted beyond a limit while they didn't hear each other.

    That is at most what both have charged, less what fits into the bucket.
    """
    tokens = 0.0
    for key, ns in zip(keys, charged, strict=True):
        if ns:
            _, debts = table.debts(limit.text, (key,), now, 0)
            over = (sum(debts) + ns) * limit.scale - limit.capacity
            tokens += max(over, 0) / limit.interval
    return tokens
