"""What is in flight on a link: frames by number, when each is overdue, who is to blame. Pure.

The other side is silent when nothing at all was heard of it for `patience` seconds, though it was
asked. An app counts both that and budgets in *listened* time (see listening.py): a busy loop of its
own takes nothing from them, though by the clock a frame waits at most `late` seconds longer. A node
doesn't (`late` is 0): the app that asked it counts on an answer in time, whoever is to blame.
"""

from math import inf

from sidegate.link.flight import Asker, Flight
from sidegate.link.listening import ListenedTime
from sidegate.protocol.messages import Answers

GRACE = 0.001  # seconds: what is already there is read before anything expires
_STEPS = 16  # in one patience: a first connection needs eleven turns of a loop, be it ever so busy
_LEAST_STEP = 0.003  # seconds: 2 µs of work a step, that is under a thousandth


class InFlight:
    """The frames in flight, and how many checks they hold. `now` is on the loop's clock."""

    __slots__ = (
        "_deadline",
        "_late",
        "_latest",
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
        self._silent_since: float | None = None  # listened: first question since we heard anything

    def __len__(self) -> int:
        return len(self.open)

    def _listened(self, now: float) -> float:
        return now if self._time is None else self._time.at(now)

    def add(self, number: int, asker: Asker, count: int, budget: float, now: float) -> float:
        """Take in a frame; return when to look at the latest, by the clock."""
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
        return now + (min(self._step, wait))

    def land(self, answers: Answers) -> None:
        """Hand over answers, a sign of life; WireError if they don't fit. Late ones are dropped."""
        self._silent_since = None
        flight = self.open.get(answers.id)
        if flight is not None:
            self.checks -= flight.land(answers)
            if not flight.left:
                del self.open[answers.id]

    def heard(self) -> None:
        """Note that the other side has said something."""
        self._silent_since = None

    def is_silent(self, now: float) -> bool:
        """Has the other side said nothing for our patience, though it was asked?"""
        since = self._silent_since
        return since is not None and self._listened(now) - since >= self._patience

    # --- the one timer

    def expect(self, now: float, due: float) -> None:
        """Note that the timer is set for `due`."""
        if self._time is not None:
            self._time.expect(now, due)

    def next_look(self, now: float) -> float:
        """Return for when to set the timer; `inf`, and nothing is counted, if nothing is open."""
        if not self.open:
            if self._time is not None:
                self._time.stop(now)
            return inf
        wait = self._deadline - self._listened(now)
        return min(now + wait, now + self._step, self._latest)

    def is_due(self, now: float) -> bool:
        """May a frame be overdue?"""
        return self._latest <= now or self._deadline <= self._listened(now)

    def take_overdue(self, now: float) -> dict[int, Flight]:
        """Take out the frames that are overdue; their checks still count."""
        listened = self._listened(now)
        overdue = {
            number: flight
            for number, flight in self.open.items()  # few: a frame a loop turn and budget
            if flight.is_overdue(listened, now)
        }
        for number in overdue:
            del self.open[number]
        self._deadline = min((flight.deadline for flight in self.open.values()), default=inf)
        self._latest = min((flight.latest for flight in self.open.values()), default=inf)
        return overdue

    def take_all(self, now: float) -> dict[int, Flight]:
        """Take out all frames, with their deadlines by the clock; their checks still count."""
        ahead = now - self._listened(now)
        taken, self.open = self.open, {}
        for flight in taken.values():
            flight.deadline += ahead
        self._silent_since = None
        self._deadline = self._latest = inf
        return taken
