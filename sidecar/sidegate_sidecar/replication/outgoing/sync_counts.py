"""What is counted of buckets that are sent and merged."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class SyncCounts:
    """What was sent to other nodes, and merged."""

    sent: int = 0  # buckets
    merged: int = 0
    handed: int = 0  # buckets that walks found to be lacking where they should be
    resent: int = 0  # buckets whose message got no answer
    overflows: int = 0  # times that too much waited for a node, and all is sent to it anew
