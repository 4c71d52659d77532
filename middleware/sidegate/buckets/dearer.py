"""Dearer limits: those of which a token costs more, for a side that serves a part of them. Pure."""

from copy import copy
from typing import Final

from sidegate.buckets.limits import Limit, Limits

MAX_DEARER: Final = 4_096
"""Texts of limits that are kept so, as of those that were divided."""

FINE: Final = 1_000
"""Ticks of a token above which one less is nothing."""


def dearer(limits: Limits, nodes: int, of: int) -> Limits:
    """Return limits of the same buckets, each token of which costs as many as `of / nodes`.

    Of a burst that this leaves no whole token of, one costs all. The text reads as it did, and is
    no other limit's, so that a table looks at each limit and not only at its own.
    """
    items = tuple(_dearer(limit, nodes, of) for limit in limits.items)
    made = copy(limits)
    object.__setattr__(made, "items", items)
    object.__setattr__(made, "text", f"{limits.text} ")
    smallest = min(limit.burst for limit in items)
    object.__setattr__(made, "smallest_burst", smallest or 1)
    return made


def _dearer(limit: Limit, nodes: int, of: int) -> Limit:
    if not limit.tokens:
        return limit
    ticks = limit.interval * of  # rounded up only where a tick is much: 15 of 20 are to be 15
    interval = ticks // nodes if ticks >= FINE * nodes else -(-ticks // nodes)
    interval = min(interval, limit.capacity)
    made = copy(limit)
    object.__setattr__(made, "interval", interval)
    object.__setattr__(made, "burst", limit.capacity // interval)
    return made
