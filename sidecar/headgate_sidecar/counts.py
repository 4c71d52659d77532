"""What a node counts. Plain numbers, so that counting costs next to nothing on the hot path."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headgate.wire import Answer

LATENCIES = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1)
"""Upper bounds in seconds, around what a hop costs: 50 µs at rest, the budget at worst."""


@dataclass(slots=True)
class Latency:
    """A histogram: how many observations in each of LATENCIES and above, and their sum."""

    buckets: list[int] = field(default_factory=lambda: [0] * (len(LATENCIES) + 1))
    total: float = 0.0

    def observe(self, seconds: float) -> None:
        """Count one observation."""
        self.buckets[bisect_left(LATENCIES, seconds)] += 1
        self.total += seconds


@dataclass(slots=True)
class Counts:
    """Counters since the start of the process."""

    checks: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """By asker ("app" or "node"), source and outcome ("allowed", "denied" or "error")."""
    forwarded: Latency = field(default_factory=Latency)
    """How long frames of forwarded checks took to be answered."""
    unanswered: Counter[str] = field(default_factory=Counter)
    """Checks that their owner, by name, did not answer."""
    turned_away: Counter[str] = field(default_factory=Counter)
    """Connections closed for a fault of the other side, by error code."""

    def count(self, asker: str, source: str, answers: Sequence[Answer]) -> None:
        """Count the outcomes of some answers."""
        verdicts = [answer[0] for answer in answers]
        allowed, denied = verdicts.count(1), verdicts.count(0)
        checks = self.checks
        checks[asker, source, "allowed"] += allowed
        if denied:
            checks[asker, source, "denied"] += denied
        if errors := len(answers) - allowed - denied:
            checks[asker, source, "error"] += errors
