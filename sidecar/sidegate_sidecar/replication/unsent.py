"""Unsent: what was charged here and no other node has been told, by limits and key. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate.buckets.limits import parse_limits

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sidegate.protocol.messages import Check


class Unsent:
    """Tokens by the text of limits and by key: which buckets a flush is to place, and what is lost.

    Limits first: a key that is asked by several of them is counted by each, and a flush finds its
    keys together.
    """

    __slots__ = ("_by_text",)

    def __init__(self) -> None:
        self._by_text: dict[str, dict[str, int]] = {}

    def __bool__(self) -> bool:
        return bool(self._by_text)

    def __iter__(self) -> Iterator[Check]:
        return (
            (key, text, tokens)
            for text, counts in self._by_text.items()
            for key, tokens in counts.items()
        )

    def charge(self, checks: Iterable[Check]) -> list[Check]:
        """Count what checks have charged; return those of buckets of which too much is unsent."""
        at_risk: list[Check] = []
        text, most = "", 0
        counts: dict[str, int] = {}
        for check in checks:
            key, its_text, cost = check
            if not cost:
                continue
            if its_text != text:
                text, counts = its_text, self._of(its_text)
                most = parse_limits(text).max_unsent
            counts[key] = count = counts.get(key, 0) + cost
            if count > most:
                at_risk.append(check)
        return at_risk

    def _of(self, text: str) -> dict[str, int]:
        counts = self._by_text.get(text)
        if counts is None:
            counts = self._by_text[text] = {}
        return counts

    def sent(self, key: str, text: str) -> None:
        """Called when all that a key was charged by these limits is on its way."""
        counts = self._of(text)
        counts.pop(key, None)
        if not counts:  # a text may be one of many that were made up
            del self._by_text[text]

    def take(self) -> Iterator[tuple[str, list[str]]]:
        """Take out all: the text of limits, and keys that they have charged."""
        taken, self._by_text = self._by_text, {}
        return ((text, list(counts)) for text, counts in taken.items())
