"""What a node counts. Plain numbers, so that counting costs next to nothing on the hot path."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from sidegate.buckets.decision import Source
from sidegate.protocol.outcome_messages import OUTCOMES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidegate.protocol.messages import Answer

_SOURCES = frozenset(Source)

LATENCIES = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1)
"""Upper bounds in seconds, around what a hop costs: 50 µs at rest, the budget at worst."""


MAX_NAMES = 1_024  # of nodes that left checks unanswered: more than a ring has


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
class Tally:
    """Outcomes of checks that came from one kind of asker and were decided by one source."""

    allowed: int = 0
    denied: int = 0
    error: int = 0

    def add(self, answers: Sequence[Answer]) -> None:
        """Count the outcomes of some answers."""
        for answer in answers:
            verdict = answer[0]
            if verdict == 1:
                self.allowed += 1
            elif verdict == 0:
                self.denied += 1
            else:
                self.error += 1


class RefundOutcome(StrEnum):
    """What became of tokens that were to be given back."""

    GIVEN_BACK = "given_back"  # here
    FORWARDED = "forwarded"  # to the owner, who counts it too
    DROPPED = "dropped"  # they stay charged


@dataclass(slots=True)
class Counts:
    """Counters since the start of the process."""

    forwarded: Latency = field(default_factory=Latency)
    """How long frames of forwarded checks took to be answered."""
    unanswered: Counter[str] = field(default_factory=Counter[str])
    """Checks that a node which was asked, by name, did not answer."""
    turned_away: Counter[str] = field(default_factory=Counter[str])
    """Connections closed for a fault of the other side, by error code."""
    app_outcomes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(OUTCOMES, 0))
    """Checks that apps decided without us, or whose key failed, as they told us."""
    refunds: dict[RefundOutcome, int] = field(
        default_factory=lambda: dict.fromkeys(RefundOutcome, 0)
    )
    """Charges of checks that were to be given back."""
    _tallies: dict[tuple[str, str], Tally] = field(default_factory=dict[tuple[str, str], Tally])

    def count_unanswered(self, name: str, checks: int) -> None:
        """Count checks that a node didn't answer; who was first to do so is forgotten first."""
        if name not in self.unanswered and len(self.unanswered) >= MAX_NAMES:
            del self.unanswered[next(iter(self.unanswered))]
        self.unanswered[name] += checks

    def tally(self, asker: str, source: str) -> Tally:
        """Return where to count the checks of an asker ("app" or "node") decided by a source.

        A source that isn't known here, from a newer node, counts as "other".
        """
        if source not in _SOURCES:
            source = "other"
        tally = self._tallies.get((asker, source))
        if tally is None:
            tally = self._tallies[asker, source] = Tally()
        return tally

    @property
    def failovers(self) -> int:
        """Checks of this node's apps that a backup decided, here or elsewhere."""
        tally = self.tally("app", Source.BACKUP)
        return tally.allowed + tally.denied + tally.error

    @property
    def checks(self) -> Counter[tuple[str, str, str]]:
        """Checks by asker, source and outcome ("allowed", "denied" or "error")."""
        return Counter(
            {
                (asker, source, outcome): getattr(tally, outcome)
                for (asker, source), tally in self._tallies.items()
                for outcome in ("allowed", "denied", "error")
            }
        )
