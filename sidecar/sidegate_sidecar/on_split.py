"""OnSplit: what a side of a split network does with its limits."""

from __future__ import annotations

from enum import StrEnum


class OnSplit(StrEnum):
    """What becomes of a side that has lost members."""

    OPTIMISTIC = "optimistic"  # it goes on: one limit a side
    HOLD_DOWN = "hold-down"  # it serves its part of each limit, until it has been stable for 10 s
    QUORUM = "quorum"  # the smaller side decides nothing: it goes by on_unreachable
