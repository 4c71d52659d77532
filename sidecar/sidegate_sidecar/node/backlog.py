"""Backlog: checks whose limits have to be read first, a few in each turn of the loop. Pure.

To read a limit that was never used takes 50 µs, a hundred times what a check takes whose limit is
known; and a frame may have 4,096 checks of eight limits. So in one turn of the loop only some are
read. What is left waits for the next turns, in which those who asked take turns as well.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from sidegate.errors import SidegateError

if TYPE_CHECKING:
    from sidegate.protocol.messages import Checks
    from sidegate_sidecar.node.forward import Send

CHARACTERS = 1_024  # of new limits read in a turn of the loop: some 60 limits, 3 ms
MAX_WAITING = 4_096  # checks of one asker: a frame; what it asks beyond has an error for an answer
MAX_IN_ALL = 65_536  # checks: of 16 askers that do nothing else; 16 MB


class NewLimitsError(SidegateError):
    """These limits were never used here, and too many others weren't either."""

    def __str__(self) -> str:
        return "too many limits at once that were never used here: use fewer, or ask again"


class PutOff(NamedTuple):
    """What is left of a frame. `until` is when nobody waits for the answer any more, in ns."""

    frame: Checks
    positions: list[int]
    send: Send
    until: int


class Backlog:
    """The frames that wait, and how much may still be read in this turn."""

    def __init__(self) -> None:
        self._left = CHARACTERS
        self._askers: dict[Send, deque[PutOff]] = {}  # whose turn it is first
        self._counts: dict[Send, int] = {}  # checks of each

    def __len__(self) -> int:
        return len(self._askers)

    @property
    def is_untouched(self) -> bool:
        """Was nothing read in this turn, and does nothing wait?"""
        return self._left == CHARACTERS and not self._askers

    def may_read(self, text: str) -> bool:
        """Count one more text to be read; False when it is for a later turn."""
        if self._left <= 0:
            return False
        self._left -= 16 + len(text)
        return True

    def new_turn(self) -> None:
        """Let as much be read as ever."""
        self._left = CHARACTERS

    def add(self, waiting: PutOff) -> bool:
        """Keep the rest of a frame; False if there is no room for it."""
        asker, more = waiting.send, len(waiting.positions)
        count = self._counts.get(asker, 0) + more
        if count > MAX_WAITING or sum(self._counts.values()) + more > MAX_IN_ALL:
            return False
        self._counts[asker] = count
        self._askers.setdefault(asker, deque()).append(waiting)
        return True

    def next(self) -> PutOff | None:
        """Take out the next, of the asker whose turn it is; None when nobody waits."""
        if not self._askers:
            return None
        asker = next(iter(self._askers))
        queue = self._askers.pop(asker)
        waiting = queue.popleft()
        self._counts[asker] -= len(waiting.positions)
        if queue:
            self._askers[asker] = queue  # behind the others
        elif not self._counts[asker]:
            del self._counts[asker]
        return waiting
