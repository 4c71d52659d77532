"""Record: what became of each request of a run, in columns of numbers."""

from __future__ import annotations

from array import array
from collections import Counter, deque
from heapq import merge
from itertools import count, repeat
from typing import TYPE_CHECKING, Final

from sidegate.buckets.decision import Source
from sidegate_sidecar.loadtest.send.outcome import (
    BY_POLICY,
    MEASURED,
    Outcome,
    OutcomeKind,
    kind_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MAX_KINDS: Final = 20  # of errors told apart; further ones are counted as "other"
LATELY: Final = 1_000  # latencies kept for the display: a few seconds

SOURCES: Final[tuple[Source | None, ...]] = (None, *Source)
"""By the numbers under which they are kept; None when no limit was applied, or nobody answered."""


class Record:
    """The requests of one stream, in the order in which they were sent.

    Times are seconds from the start of the run; `ended` of a request without an answer is when it
    was given up. 30 bytes a request.
    """

    def __init__(self) -> None:
        self.planned = array("d")
        self.started = array("d")
        self.ended = array("d")
        self.keys = array("I")
        self.outcomes = array("B")
        self.sources = array("B")

    def __len__(self) -> int:
        return len(self.planned)

    def begin(self, planned: float, key: int, now: float) -> int:
        """Note a request that is due; return its number."""
        self.planned.append(planned)
        self.started.append(now)
        self.ended.append(now)
        self.keys.append(key)
        self.outcomes.append(Outcome.UNDER_WAY)
        self.sources.append(0)
        return len(self.planned) - 1

    def source(self, number: int) -> Source | None:
        """Return who decided a request."""
        return SOURCES[self.sources[number]]

    def kind(self, number: int) -> OutcomeKind:
        """Return what a request that has ended counts as."""
        return kind_of(Outcome(self.outcomes[number]), self.source(number))

    def is_decided(self, number: int) -> bool:
        """Tell if the limiter answered a request, and not a policy."""
        if self.outcomes[number] not in {Outcome.ADMITTED, Outcome.DENIED}:
            return False
        return self.source(number) not in BY_POLICY

    def with_outcome(self, *wanted: Outcome) -> Iterator[int]:
        """Yield the numbers of the requests with one of these outcomes."""
        return (number for number, outcome in enumerate(self.outcomes) if outcome in wanted)

    def latencies(self, *wanted: Outcome) -> list[float]:
        """Return seconds from the planned start to the end, in order, of requests that ended so."""
        planned, ended = self.planned, self.ended
        return sorted(ended[number] - planned[number] for number in self.with_outcome(*wanted))

    def service_times(self, *wanted: Outcome) -> list[float]:
        """Return seconds from the real start to the end, in order, of requests that ended so."""
        started, ended = self.started, self.ended
        return sorted(ended[number] - started[number] for number in self.with_outcome(*wanted))


class Records:
    """The records of all streams, and running counts for who looks on."""

    def __init__(self, streams: int) -> None:
        self.streams = [Record() for _ in range(streams)]
        self.counts = [Counter[Outcome]() for _ in range(streams)]
        self.kinds = [Counter[OutcomeKind]() for _ in range(streams)]
        self.sources = Counter[Source | None]()
        self.errors = Counter[str]()  # by what went wrong, in words
        self.in_flight = 0
        self.max_in_flight = 0
        self.latest: deque[float] = deque(maxlen=LATELY)

    def begin(self, stream: int, planned: float, key: int, now: float) -> int:
        """Note a request that is due."""
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)
        return self.streams[stream].begin(planned, key, now)

    def start(self, stream: int, number: int, now: float) -> None:
        """Called when a request is being sent now."""
        self.streams[stream].started[number] = now

    def end(
        self, stream: int, number: int, outcome: Outcome, source: Source | None, now: float
    ) -> None:
        """Note how a request ended."""
        record = self.streams[stream]
        record.ended[number] = now
        record.outcomes[number] = outcome
        record.sources[number] = SOURCES.index(source)
        self.counts[stream][outcome] += 1
        self.kinds[stream][kind_of(outcome, source)] += 1
        self.sources[source] += 1
        self.in_flight -= 1
        if outcome in MEASURED:
            self.latest.append(now - record.planned[number])

    def error(self, what: str) -> None:
        """Count an error under its words."""
        known = what in self.errors or len(self.errors) < MAX_KINDS
        self.errors[what if known else "other"] += 1

    def total(self, outcomes: Sequence[Outcome] = tuple(Outcome)) -> int:
        """Return how many requests of all streams ended so."""
        return sum(count[outcome] for count in self.counts for outcome in outcomes)

    def together(self) -> Records:
        """Return the same as one stream, as streams of the same keys are to who limits them."""
        whole = Records(1)
        columns = (
            zip(record.planned, repeat(stream), count())
            for stream, record in enumerate(self.streams)
        )
        for planned, stream, number in merge(*columns):
            record = self.streams[stream]
            at = whole.begin(0, planned, record.keys[number], record.started[number])
            outcome, source = Outcome(record.outcomes[number]), record.source(number)
            whole.end(0, at, outcome, source, record.ended[number])
        whole.errors, whole.max_in_flight = self.errors, self.max_in_flight
        return whole
