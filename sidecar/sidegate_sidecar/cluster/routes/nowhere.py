"""Nowhere: where checks go on a side that decides nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class Nowhere:
    """A ring of nobody."""

    nodes: tuple[str, ...] = ()

    def __contains__(self, node: object) -> bool:
        return False

    def pair(self, key: str) -> tuple[str, str]:
        """Return that nobody decides about a key."""
        del key
        return "", ""

    def pairs(self, keys: Sequence[str]) -> list[tuple[str, str]]:
        """Return the `pair` of each of these keys."""
        return [("", "")] * len(keys)
