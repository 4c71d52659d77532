"""The rule of a key, under which it is counted. Pure."""

from __future__ import annotations

from typing import Final

OTHER: Final = "other"  # of keys that name no rule, and of the rules that came too late


def rule_of(key: str) -> str:
    """Return what is before the first colon of a key, "other" where that is nothing."""
    rule, colon, _ = key.partition(":")
    return rule if colon and rule else OTHER
