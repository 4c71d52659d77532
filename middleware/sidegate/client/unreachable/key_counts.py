"""Key counts: what was decided here by key, source and verdict, until it is told. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from sidegate.buckets.decision import Source

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sidegate.protocol.outcome_messages import KeyOutcome

    _Which: TypeAlias = tuple[str | None, str, bool]

MAX_COUNTED = 1_024  # keys, sources and verdicts: 0.2 MB; those beyond are counted without a key
MAX_TOLD = 256  # keys in a frame: those that came most; the others are summed


class KeyCounts:
    """Counts of checks, and of the tokens that they have charged, since they were last told."""

    __slots__ = ("counts", "tokens")

    def __init__(self) -> None:
        self.counts: dict[_Which, int] = {}
        self.tokens: dict[_Which, int] = {}

    def add(self, key: str, source: str, *, allowed: bool, tokens: int, times: int = 1) -> None:
        """Count checks, so many of them, which have charged so many tokens together."""
        which: _Which = (key, source, allowed)
        if which not in self.counts and len(self.counts) >= MAX_COUNTED:
            which = (None, source, allowed)
        self.counts[which] = self.counts.get(which, 0) + times
        self.tokens[which] = self.tokens.get(which, 0) + tokens

    def take(self) -> list[KeyOutcome]:
        """Return what is to be told, and count anew."""
        counts, tokens = self.counts, self.tokens
        self.counts, self.tokens = {}, {}
        return _rows(counts, tokens)


def of_denials(recalled: Mapping[str, int]) -> list[KeyOutcome]:
    """Return what to tell of denials that were remembered, so often of each key."""
    return _rows({(key, Source.REMEMBERED, False): it for key, it in recalled.items()}, {})


def _rows(counts: Mapping[_Which, int], tokens: Mapping[_Which, int]) -> list[KeyOutcome]:
    named = [which for which in counts if which[0] is not None]
    told = {*sorted(named, key=counts.__getitem__, reverse=True)[:MAX_TOLD]}
    sums: dict[_Which, list[int]] = {}
    for which, count in counts.items():
        row = sums.setdefault(which if which in told else (None, *which[1:]), [0, 0])
        row[0] += count
        row[1] += tokens.get(which, 0)
    return [
        (key, str(source), int(allowed), checks, charged)
        for (key, source, allowed), (checks, charged) in sums.items()
    ]
