"""Rumors: what is still to be told to others, the least told first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Container

    from sidegate_ring.membership.messages import Rumor

MAX_RUMORS: Final = 4_096
"""As many as there may be nodes. The most told goes first: it has been around."""


class Rumors:
    """A queue of rumors, one for each node: a newer one takes the place of the older.

    The rumors lie on levels, by how often they were sent, so taking some costs no sorting.
    """

    __slots__ = ("_level_of", "_levels")

    def __init__(self) -> None:
        self._levels: list[dict[str, Rumor]] = [{}]
        self._level_of: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._level_of)

    def add(self, rumor: Rumor) -> None:
        """Have a rumor told that wasn't told before."""
        self.drop(rumor.name)
        if len(self) >= MAX_RUMORS:
            highest = next(level for level in reversed(self._levels) if level)
            self.drop(next(iter(highest)))
        self._place(rumor, 0)

    def drop(self, name: str) -> None:
        """Tell no more about a node."""
        at = self._level_of.pop(name, None)
        if at is not None:
            del self._levels[at][name]

    def take(self, count: int, times: int, without: Container[str] = ()) -> list[Rumor]:
        """Return up to `count` rumors to send now, those sent least often first, then the newest.

        One that was sent `times` times with this one is dropped. None is about a node in `without`.
        """
        taken: list[tuple[int, Rumor]] = []
        for at, level in enumerate(self._levels):
            for name in reversed(level):
                if len(taken) >= count:
                    break
                if name not in without:
                    taken.append((at, level[name]))
        for at, rumor in taken:
            self.drop(rumor.name)
            if at + 1 < times:
                self._place(rumor, at + 1)
        return [rumor for _, rumor in taken]

    def _place(self, rumor: Rumor, at: int) -> None:
        while at >= len(self._levels):
            self._levels.append({})
        self._levels[at][rumor.name] = rumor
        self._level_of[rumor.name] = at
