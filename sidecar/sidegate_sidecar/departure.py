"""A departure: how a node left the ring."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Departure:
    """What became of the buckets of a node that was told to leave; it goes on forwarding checks."""

    name: str  # of the node
    left: bool  # is it off the ring, with all of its buckets handed over?
    handed_over: int  # buckets
    seconds: float  # that it took
