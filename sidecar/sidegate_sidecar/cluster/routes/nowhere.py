"""Nowhere: where checks go on a side that decides nothing."""

from __future__ import annotations


class Nowhere:
    """A ring of nobody."""

    nodes: tuple[str, ...] = ()

    def __contains__(self, node: object) -> bool:
        return False

    def pair(self, key: str) -> tuple[str, str]:
        """Return that nobody decides about a key."""
        del key
        return "", ""

    def surely_owns(self, name: str, rows: object) -> bool:
        """Return that no node owns any key."""
        del name, rows
        return False
