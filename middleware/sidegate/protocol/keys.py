"""What a key tells of itself: "RULE:IDENTITY" or "SERVICE/RULE:IDENTITY". Pure."""

from __future__ import annotations

from typing import Final

OTHER: Final = "other"  # the rule of keys that name none; counts of rules that came too late, too


def rule_of(key: str) -> str:
    """Return the rule of a key: what is before its first colon, OTHER where that is nothing."""
    rule, colon, _ = key.partition(":")
    return rule if colon and rule else OTHER
