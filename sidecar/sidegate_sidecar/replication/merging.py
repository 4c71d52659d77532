"""Merging: what a node makes of buckets that others send. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate.buckets.limits import parse_limits
from sidegate.buckets.windows import undated
from sidegate.protocol.messages import SURELY_SHORT_KEY, require_key

if TYPE_CHECKING:
    from sidegate.buckets.buckets import BucketTable
    from sidegate.buckets.limits import Limits
    from sidegate.protocol.messages import Buckets, Group
    from sidegate_sidecar.replication.corrections.resets import KnownResets


MAX_BUCKETS = 1_000  # in a message that is merged: a millisecond's work; none of ours has over 800


class Merging:
    """Of two copies of a bucket the larger debt counts, unless the sender missed a reset."""

    def __init__(self, table: BucketTable, resets: KnownResets) -> None:
        self._table = table
        self._resets = resets

    def merge(self, sender: str, message: Buckets, now: int) -> int:
        """Merge the buckets of a message; return how many. ValueError if they make no sense."""
        if (count := size_of(message)) > MAX_BUCKETS:
            raise ValueError(f"{count:,} buckets in a message: expected at most {MAX_BUCKETS:,}")
        stale = self._resets.unheard(sender)
        for text, keys, debts in message.groups:
            limits, index = _limits_of((text, keys, debts))
            window = self._table.windows.of_limit(limits.items[0])
            if window is not None and not window.enter(index, now):
                continue
            merge = self._table.put_by_all if limits.carries else self._table.merge_all
            if stale and stale.concerns(keys):
                fresh = [0 if key in stale else debt for key, debt in zip(keys, debts, strict=True)]
                merge(limits.items[0], keys, fresh, now)
            else:
                merge(limits.items[0], keys, debts, now)
        return sum(len(keys) for _, keys, _ in message.groups)


def size_of(message: Buckets) -> int:
    """Return how much work a message is, in buckets."""
    return sum(max(len(keys), 1) for _, keys, _ in message.groups)


def _limits_of(group: Group) -> tuple[Limits, int]:
    """Return the one limit of a group of buckets, and which window it is, 0 for none.

    ValueError if the group makes no sense.
    """
    text, keys, debts = group
    if len(keys) != len(debts):
        raise ValueError(f"{len(keys)} keys with {len(debts)} debts: expected as many")
    if max(map(len, keys), default=0) > SURELY_SHORT_KEY:
        for key in keys:
            require_key(key)
    undated_text, windows = undated(text)
    limits = parse_limits(undated_text)
    if len(limits.items) != 1:
        raise ValueError(f"buckets of {text!r}: expected one limit")
    if bool(windows) != bool(limits.windows):
        raise ValueError(f"buckets of {text!r}: expected the number of a window, for a quota only")
    return limits, sum(windows)
