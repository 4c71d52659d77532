"""Checks on their way: who asked, and which of them have no answer yet. Pure."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Protocol

from msgspec.structs import replace

from sidegate.protocol.codec import WireError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidegate.protocol.messages import Answers


class Asker(Protocol):
    """Who gets the answers to a frame of checks, perhaps in parts, each position once."""

    def answered(self, answers: Answers) -> None:
        """Take the answers to the checks at `answers.positions`, or to all (None)."""

    def unanswered(self, positions: Sequence[int] | None) -> None:
        """Take note that the checks at these positions, or all (None), get no answer."""


class Flight:
    """One frame of checks that isn't wholly answered; `left` counts those without an answer.

    `deadline` is when its askers stop waiting, on the clock of whoever keeps the flight; `latest`
    when they do whatever that clock says, on that of the loop.
    """

    __slots__ = ("_asker", "_open", "deadline", "latest", "left")

    def __init__(
        self, asker: Asker, count: int, deadline: float = 0.0, latest: float = inf
    ) -> None:
        self.deadline = deadline
        self.latest = latest
        self._asker = asker
        self._open: set[int] | None = None  # None: all; a set only once a part was answered
        self.left = count

    def land(self, answers: Answers) -> int:
        """Hand over answers; return how many checks they settled. WireError if they don't fit."""
        count = len(answers.answers)
        if answers.positions is None:
            if count != self.left or self._open is not None:
                raise _unfit()
            self._asker.answered(answers)
        else:
            still_open = self._without(answers.positions, count)
            self._asker.answered(answers)
            self._open = still_open  # only now: what the asker couldn't take is still open
        self.left -= count
        return count

    def _without(self, positions: list[int], answers: int) -> set[int]:
        waiting = set(range(self.left)) if self._open is None else self._open
        settled = set(positions)
        if not (len(settled) == len(positions) == answers and settled <= waiting):
            raise _unfit()
        return waiting - settled

    def is_overdue(self, listened: float, now: float) -> bool:
        """Have its askers waited long enough, by either clock?"""
        return self.deadline <= listened or self.latest <= now

    def crash(self) -> None:
        """Tell the asker that what is left gets no answer."""
        self._asker.unanswered(None if self._open is None else sorted(self._open))


def _unfit() -> WireError:
    return WireError("bad-message", "answers that don't fit the checks they name")


class _Shifted:
    """The part of an asker's checks that starts at `offset`, when they needed several frames."""

    def __init__(self, asker: Asker, start: int, stop: int) -> None:
        self._asker = asker
        self._start = start
        self._stop = stop

    def _shift(self, positions: Sequence[int] | None) -> list[int]:
        if positions is None:
            return list(range(self._start, self._stop))
        return [self._start + position for position in positions]

    def answered(self, answers: Answers) -> None:
        self._asker.answered(replace(answers, positions=self._shift(answers.positions)))

    def unanswered(self, positions: Sequence[int] | None) -> None:
        self._asker.unanswered(self._shift(positions))


def halves(asker: Asker, middle: int, count: int) -> tuple[Asker, Asker]:
    """Return two askers for the checks before `middle` and for the rest of `count`."""
    return _Shifted(asker, 0, middle), _Shifted(asker, middle, count)
