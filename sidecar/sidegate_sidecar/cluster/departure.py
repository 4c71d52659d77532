"""A departure: how a node left the ring, or why it didn't."""

from __future__ import annotations

from dataclasses import dataclass

ALONE = "there is no other node to take its buckets"
NO_HEIR = "no other node came in time to take its buckets"
OVERDUE = "others had not merged all of its buckets in time"


@dataclass(frozen=True, slots=True)
class Departure:
    """What became of the buckets of a node that was told to leave.

    It goes on forwarding checks or, if it could not give up its place, deciding them.
    """

    name: str  # of the node
    left: bool  # is it off the ring, with all of its buckets handed over?
    handed_over: int  # buckets in debt that it owned, and that other nodes have merged
    not_taken: int  # buckets in debt that it owned, and that no other node has merged
    seconds: float  # that it took
    why: str = ""  # it has not left, for people; empty if it has
