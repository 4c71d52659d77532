"""The part of each limit that a side of a split serves. Pure.

A side of n nodes out of m serves n/m of a limit by charging m/n tokens for one. So its burst and
its rate are that part, the bucket stays the one that it is, and where the sides meet again the
larger debt covers what both have let through: the sum of the parts is never more than the largest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sidegate.buckets.dearer import MAX_DEARER, dearer
from sidegate.buckets.limits import require_cost

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from sidegate.buckets.buckets import BucketTable
    from sidegate.buckets.limits import Limits

    Take: TypeAlias = Callable[[str, Limits, int, int], tuple[bool, list[int]]]


class SidePart(NamedTuple):
    """So many nodes of all that there were."""

    nodes: int
    of: int

    @property
    def is_whole(self) -> bool:
        """Are all there?"""
        return self.nodes >= self.of


WHOLE = SidePart(1, 1)


def taking(table: BucketTable, part: SidePart) -> Take:
    """Return what takes tokens from the buckets of a table as `BucketTable.take` does, in part.

    A cost above the part is charged as all of it, so of each limit one passes at the least. The
    debts are those that leave as many tokens, and as long a wait, by the limit as it is written.
    """
    if part.is_whole:
        return table.take
    known: dict[str, Limits] = {}

    def take(key: str, limits: Limits, cost: int, now: int) -> tuple[bool, list[int]]:
        require_cost(cost, limits)
        charged = known.get(limits.asked)
        if charged is None:
            if len(known) >= MAX_DEARER:
                known.clear()
            charged = known[limits.asked] = dearer(limits, part.nodes, part.of)
        taken = min(cost, charged.smallest_burst)
        allowed, debts = table.take(key, charged, taken, now)
        if debts:
            for at, (limit, dear) in enumerate(zip(limits.items, charged.items, strict=True)):
                if allowed:
                    room = max(limit.capacity // limit.scale - debts[at], 0)
                    debts[at] += room - room * part.nodes // part.of
                else:
                    more = taken * dear.interval - cost * limit.interval
                    debts[at] += -(-more // limit.scale)
        return allowed, debts

    return take
