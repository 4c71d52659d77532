"""What the cache of a node counts, for its metrics. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from sidegate.protocol.cache_messages import CacheState


@dataclass(slots=True)
class CacheCounts:
    """Counts since the start."""

    answers: dict[CacheState, int] = field(
        default_factory=lambda: dict.fromkeys(CacheState, 0),
    )
    """Keys that were asked for, here as their owner, by what was answered at first."""
    kept: int = 0
    refused: int = 0
    """Values that were brought, and not kept."""
    removed: int = 0
    granted: int = 0
    """Leases that went to who had waited."""
    handed_over: int = 0
    taken_over: int = 0
    lost: int = 0
    """Keys of apps whose owner couldn't be asked."""
