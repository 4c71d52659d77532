"""What is in flight on a link: frames by number, when each is overdue, who is to blame. Pure.

The other side is silent when nothing at all was heard of it for `patience` seconds, though it was
asked. An app counts both that and budgets in *listened* time (see listening.py): a busy loop of its
own takes nothing from them, though by the clock a frame waits at most `late` seconds longer. A node
doesn't (`late` is 0): the app that asked it counts on an answer in time, whoever is to blame.

One timer serves all frames. When it goes off and a frame may be overdue, nothing is given up yet:
what is already there is read first, and GRACE later those that still have no answer are taken out.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final, Protocol

from msgspec.structs import replace

from sidegate.link.listening import ListenedTime
from sidegate.protocol.codec import WireError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sidegate.protocol.messages import Answers

GRACE: Final = 0.001  # seconds: what is already there is read before anything expires
_STEPS = 16  # in one patience: a first connection needs eleven turns of a loop, be it ever so busy
_LEAST_STEP = 0.003  # seconds: 2 µs of work a step, that is under a thousandth


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


class InFlight:
    """The frames in flight, and how many checks they hold. `now` is on the loop's clock."""

    __slots__ = (
        "_deadline",
        "_is_reading",
        "_late",
        "_latest",
        "_look_at",
        "_patience",
        "_silent_since",
        "_step",
        "_time",
        "checks",
        "open",
    )

    def __init__(self, patience: float, late: float) -> None:
        self.open: dict[int, Flight] = {}
        self.checks = 0
        self._patience = patience - 2 * GRACE
        self._late = late
        self._step = max(patience / _STEPS, _LEAST_STEP) if late else inf
        self._time = ListenedTime(self._step) if late else None
        self._deadline = self._latest = inf  # no frame's is before
        self._look_at = inf  # when the timer was last set to look
        self._is_reading = False  # a frame was due at the last look: GRACE goes by
        self._silent_since: float | None = None  # listened: first question since we heard anything

    def __len__(self) -> int:
        return len(self.open)

    def _listened(self, now: float) -> float:
        return now if self._time is None else self._time.at(now)

    def add(self, number: int, asker: Asker, count: int, budget: float, now: float) -> float:
        """Take in a frame; return for when to set the timer anew, `inf` if it is set well."""
        listened = now if self._time is None else self._time.at(now)
        wait = budget - GRACE
        deadline, latest = listened + wait, now + wait + self._late
        self.open[number] = Flight(asker, count, deadline, latest)
        self.checks += count
        if self._silent_since is None:
            self._silent_since = listened
        if deadline < self._deadline:  # noqa: PLR1730 - min() is 60 ns more, once a frame
            self._deadline = deadline
        if latest < self._latest:  # noqa: PLR1730 - as above
            self._latest = latest
        look_at = now + (self._step if self._step < wait else wait)  # noqa: FURB136 - as above
        if look_at >= self._look_at:
            return inf
        self._look_by(look_at, now)
        return look_at

    def land(self, answers: Answers) -> int:
        """Hand over answers, a sign of life; return how many checks they settled.

        WireError if they don't fit. Late ones are dropped.
        """
        self._silent_since = None
        flight = self.open.get(answers.id)
        if flight is None:
            return 0
        settled = flight.land(answers)
        self.checks -= settled
        if not flight.left:
            del self.open[answers.id]
        return settled

    def settle(self, checks: int) -> None:
        """Count no more so many checks, of those that were taken out: they have their answer."""
        self.checks -= checks

    def heard(self) -> None:
        """Called when the other side has said something."""
        self._silent_since = None

    def is_silent(self, now: float) -> bool:
        """Has the other side said nothing for our patience, though it was asked?"""
        since = self._silent_since
        return since is not None and self._listened(now) - since >= self._patience

    # --- the one timer

    def wake(self, now: float) -> tuple[float, dict[int, Flight]]:
        """Return for when to set the timer, which went off, and the frames that are overdue.

        `inf` if nothing is open. The checks of those that are overdue still count.
        """
        if not self._is_reading and self._is_due(now):
            self._is_reading = True
            self._expect(now, now + GRACE)
            return now + GRACE, {}
        overdue = self._take_overdue(now) if self._is_reading else {}
        self._is_reading, self._look_at = False, inf
        if not self.open:
            self._stop(now)
            return inf, overdue
        wait = self._deadline - self._listened(now)
        self._look_by(min(now + wait, now + self._step, self._latest), now)
        return self._look_at, overdue

    def _look_by(self, at: float, now: float) -> None:
        self._is_reading, self._look_at = False, at
        self._expect(now, at)

    def _expect(self, now: float, due: float) -> None:
        if self._time is not None:
            self._time.expect(now, due)

    def _stop(self, now: float) -> None:
        if self._time is not None:
            self._time.stop(now)

    def _is_due(self, now: float) -> bool:
        return self._latest <= now or self._deadline <= self._listened(now)

    # --- what gets no answer

    def _take_overdue(self, now: float) -> dict[int, Flight]:
        listened = self._listened(now)
        overdue = {
            number: flight
            for number, flight in self.open.items()  # few: a frame a loop turn and budget
            if flight.is_overdue(listened, now)
        }
        for number in overdue:
            del self.open[number]
        self._deadline, self._latest = _earliest(self.open)
        return overdue

    def give_up(self, flights: Iterable[Flight]) -> None:
        """Tell who asked frames that were taken out that there is no answer."""
        for flight in flights:
            self.checks -= flight.left
            flight.crash()

    def take_all(self, now: float) -> dict[int, Flight]:
        """Take out all frames, with their deadlines by the clock; their checks still count."""
        ahead = now - self._listened(now)
        taken, self.open = self.open, {}
        for flight in taken.values():
            flight.deadline += ahead
        self._silent_since = None
        self._deadline = self._latest = inf
        return taken

    def part(self, now: float) -> InFlight:
        """Take out all frames into a table of their own, by the clock; their checks still count."""
        parted = InFlight(inf, 0.0)
        parted.open = self.take_all(now)
        parted.checks = sum(flight.left for flight in parted.open.values())
        parted._deadline, parted._latest = _earliest(parted.open)
        return parted


def _earliest(flights: dict[int, Flight]) -> tuple[float, float]:
    deadline = min((flight.deadline for flight in flights.values()), default=inf)
    latest = min((flight.latest for flight in flights.values()), default=inf)
    return deadline, latest
