"""Round robin: whose turn it is to be probed; and names picked by chance."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable


class RoundRobin:
    """Everyone once, in any order, then in another. `randrange(n)` as for Membership."""

    __slots__ = ("_living", "_randrange", "names")

    def __init__(self, living: Collection[str], randrange: Callable[[int], int]) -> None:
        self.names: list[str] = []  # of this round, the next one last; some may be gone
        self._living = living
        self._randrange = randrange

    def add(self, name: str) -> None:
        """Give a newcomer its turn in this round, anywhere: else all were probed first, or last.

        Who comes and goes may be in it twice, but it is never longer than one would be that is new.
        """
        if len(self.names) <= len(self._living):
            self.names.insert(self._randrange(len(self.names) + 1), name)

    def next(self) -> str:
        """Return whose turn it is, "" when there is nobody."""
        while self.names:
            name = self.names.pop()
            if name in self._living:
                return name
        self.names = pick(self._living, len(self._living), self._randrange)
        return self.names.pop() if self.names else ""


def pick(names: Iterable[str], count: int, randrange: Callable[[int], int]) -> list[str]:
    """Return that many of the names, or all, in any order."""
    pool = list(names)
    for at in range(min(count, len(pool))):
        other = at + randrange(len(pool) - at)
        pool[at], pool[other] = pool[other], pool[at]
    return pool[:count]
