"""What became of buckets when a node joined, came back or left; how often, and how long it took."""

from __future__ import annotations

from dataclasses import dataclass

ALONE = "there is no other node to take its buckets"
NO_HEIR = "no other node came in time to take its buckets"
OVERDUE = "others had not merged all of its buckets in time"


@dataclass(slots=True)
class Passage:
    """How often something was gone through, and how long all of them took (ns)."""

    count: int = 0
    total: int = 0
    overdue: int = 0  # ended by its deadline

    def add(self, took: int, *, overdue: bool) -> None:
        """Count one."""
        self.count += 1
        self.total += took
        self.overdue += overdue


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
