"""A tally: how many checks had which outcome. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, TypeAlias

from sidegate.protocol.keys import rule_of
from sidegate.telemetry.attributes import result_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sidegate.buckets.decision import Decision, Source

Outcome: TypeAlias = tuple[str, str, str]
"""(rule, result, source): under what a check is counted. An error has no source."""


def outcome_of(key: str, made: Decision | BaseException) -> Outcome:
    """Return under what a check is counted that was decided, or couldn't be."""
    if isinstance(made, BaseException):
        return rule_of(key), "error", ""
    return rule_of(key), result_of(made), str(made.source)


def tally(checks: Iterable[tuple[str, Decision | BaseException]]) -> Counter[Outcome]:
    """Count checks, each a key and what was made of it, by their outcomes.

    Most of one turn have the same. To see that takes a fifth of the time that it takes to name an
    outcome and to look it up: under load 0.2 µs a check.
    """
    counts: Counter[Outcome] = Counter()
    outcome: Outcome = ("", "", "")
    allowed: bool | None = None
    source: Source | None = None
    prefix, same = "", 0
    for key, made in checks:
        if isinstance(made, BaseException):
            counts[outcome_of(key, made)] += 1
        elif made.source is source and made.allowed is allowed and key.startswith(prefix):
            same += 1
        else:
            if same:
                counts[outcome] += same
            outcome = outcome_of(key, made)
            prefix = key[: key.find(":") + 1] or "\0"  # what has no rule is like nothing else
            allowed, source, same = made.allowed, made.source, 1
    if same:
        counts[outcome] += same
    return counts
