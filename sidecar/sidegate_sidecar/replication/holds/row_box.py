"""A row box: the reservations that one other node is still to be sent. Pure."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from sidegate.protocol.holds.reservation_messages import MAX_ROWS

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TypeAlias

    Place: TypeAlias = tuple[str, str]  # key and name

WINDOW: Final = 4  # messages to one node without an answer
RESEND_AFTER: Final = 2 * 10**9  # ns without one, on a link that didn't break
MAX_WAITING: Final = 16_384  # rows for a node; one that lacks more is sent all anew


class RowBox:
    """Which rows to send, not what they say: that is looked up when they are sent."""

    __slots__ = ("_flying", "_waiting", "overflowed")

    def __init__(self) -> None:
        self._waiting: dict[Place, None] = {}
        self._flying: dict[int, tuple[list[Place], int]] = {}  # and when they were sent
        self.overflowed = False  # then it takes nothing, until a walk puts all into it anew

    def __bool__(self) -> bool:
        return bool(self._waiting or self._flying or self.overflowed)

    @property
    def is_due(self) -> bool:
        """May something be sent now?"""
        return bool(self._waiting) and len(self._flying) < WINDOW

    @property
    def is_full(self) -> bool:
        """Is a walk to wait until some of it was sent?"""
        return len(self._waiting) >= MAX_WAITING // 2

    def add(self, places: Iterable[Place]) -> None:
        """Queue some rows."""
        if self.overflowed:
            return
        self._waiting.update(dict.fromkeys(places))
        if len(self._waiting) > MAX_WAITING:
            self._waiting.clear()
            self.overflowed = True

    def take(self, number: int, now: int) -> list[Place]:
        """Return the rows of the next message, which has that number."""
        places = list(islice(self._waiting, MAX_ROWS))
        for place in places:
            del self._waiting[place]
        self._flying[number] = places, now
        return places

    def landed(self, number: int) -> None:
        """Called when a message was merged."""
        self._flying.pop(number, None)

    def give_back(self, now: int, after: int = 0) -> None:
        """Have messages sent again that got no answer for so many ns."""
        for number in [it for it, (_, at) in self._flying.items() if now - at >= after]:
            places, _ = self._flying.pop(number)
            self.add(places)
