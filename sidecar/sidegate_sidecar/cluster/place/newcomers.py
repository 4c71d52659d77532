"""Newcomers: how long nodes have had their places, as one of them sees it. Pure; times in ns.

Who starts may know no other address than that of a node which is told to leave at this moment. So
the last of the old ones can be reached for a while longer when all others have only just come.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate.buckets.limits import SECOND

if TYPE_CHECKING:
    from collections.abc import Collection

NEW_FOR = 3 * SECOND  # ns: who was started at the same time has found one of them by then


class Newcomers:
    """When each node on the ring took its place; who was there before this one always had it."""

    def __init__(self) -> None:
        self._since: dict[str, int] = {}

    def ring_changed(self, nodes: Collection[str], *, placed: bool, now: int) -> None:
        """Note who is on the ring. `placed`: did this node have a place before?"""
        since = now if placed else now - NEW_FOR
        self._since = {name: self._since.get(name, since) for name in nodes}

    def new_for(self, me: str, now: int) -> int:
        """Return for how long all nodes on the ring but this one will be new; 0 if they aren't."""
        others = [since for name, since in self._since.items() if name != me]
        return max(min(others, default=now - NEW_FOR) + NEW_FOR - now, 0)
