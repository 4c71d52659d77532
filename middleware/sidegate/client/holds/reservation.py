"""A reservation as its caller has it: what is held, what was used, and what is then committed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sidegate.client.holds.wanted_hold import tokens

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidegate.buckets.decision import Decision
    from sidegate.client.holds.wanted_hold import WantedHold

NOTHING: Final = ""  # the id where nothing is held: nobody could be asked, or limits are off


@dataclass(slots=True)
class HeldPart:
    """What is held of one key. `granted` is what the caller may use, `id` what is told of it.

    `unheld` of it were decided before anybody could be asked, and are no part of the reservation.
    """

    wanted: WantedHold
    decision: Decision
    id: str
    granted: int
    unheld: int = 0

    def begins(self, more: HeldPart) -> bool:
        """Go on as that, which was asked for where nothing was held; tell if it was allowed."""
        if more.id != NOTHING:
            self.id, self.unheld = more.id, self.granted
        return more.decision.allowed

    def commit(self, actual: int | None) -> tuple[str, int]:
        """Return what to commit of it: so many tokens, or (None) all that are held."""
        used = self.granted if actual is None else actual
        return self.id, max(used - self.unheld, 0)


class HeldTokens:
    """What is held for the block of a reservation, of one key or several."""

    def __init__(self, parts: Sequence[HeldPart]) -> None:
        self._parts = parts
        self._actual: int | None = None

    @property
    def id(self) -> str:
        """What names the reservation for `commit`; "" where nothing is held.

        It is another one after `add`. Of several keys it is that of the first; see `ids`.
        """
        return self._parts[0].id

    @property
    def ids(self) -> list[str]:
        """The ids of all keys, those left out of which nothing is held."""
        return [part.id for part in self._parts if part.id]

    @property
    def held(self) -> int:
        """How many tokens may be used: what was asked for, cut to what may be held, and `add`."""
        return min(part.granted for part in self._parts)

    @property
    def decision(self) -> Decision:
        """The Decision that charged the first key."""
        return self._parts[0].decision

    @property
    def actual(self) -> int | None:
        """How many tokens were used, which is what stays charged; None: all that are held."""
        return self._actual

    @actual.setter
    def actual(self, actual: int | None) -> None:
        self._actual = None if actual is None else tokens(actual, "actual")

    def commits(self, *, failed: bool) -> list[tuple[str, int]]:
        """Return what to commit, by id."""
        actual = 0 if failed else self._actual
        return [part.commit(actual) for part in self._parts if part.id]
