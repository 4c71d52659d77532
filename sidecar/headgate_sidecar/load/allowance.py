"""Allowance: how much of a stream its limits let through at most, and at least. Pure.

At most: burst plus refill for each key, from the moment at which its first request was sent to
that at which the last one admitted was answered. The limiter decided all of them in between, so it
can't have admitted more, however late its answers came. What requests were let through by a policy
is in neither bound.

At least: what an exact limiter would have admitted, had it seen each request when it was sent, less
SLACK, and less the requests whose fate nobody knows.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from operator import sub
from typing import TYPE_CHECKING, Final

import msgspec

from headgate.buckets import Buckets
from headgate.limits import SECOND
from headgate_sidecar.load.crashes import NOTED_WITHIN
from headgate_sidecar.load.outcome import BY_POLICY, ERRORS, Outcome
from headgate_sidecar.load.scenario import MOST_KEYS
from headgate_sidecar.refill import LOST, most_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headgate.limits import Limits
    from headgate_sidecar.load.crashes import Crash
    from headgate_sidecar.load.record import Record

SLACK: Final = 0.1  # of what an exact limiter admits: what delays on the way may change


class Allowance(msgspec.Struct, frozen=True):
    """What a stream may have admitted, and how far its keys were beyond that.

    `exact` is what an exact limiter admits of the same requests, `denied` what it denies. `kills`
    is the part of `most` that is due to kills. `excess` is by how much keys were beyond their most,
    the sum and the number of such keys.
    """

    admitted: int
    least: int
    exact: int
    denied: int
    most: int
    kills: int
    excess: int
    keys_beyond: int


class _Key:
    """One key's requests, as far as the limiter decided them."""

    __slots__ = ("admitted", "first", "last")

    def __init__(self, first: float) -> None:
        self.first = first
        self.last = first
        self.admitted = 0


def allowance(record: Record, limits: Limits, crashes: Sequence[Crash] = ()) -> Allowance:
    """Judge all requests of a stream."""
    keys = _decided(record)
    lost = _lost(record, crashes)
    mosts = {number: _most(limits, key) + lost.get(number, 0) for number, key in keys.items()}
    beyond = [key.admitted - mosts[number] for number, key in keys.items()]
    beyond = [count for count in beyond if count > 0]
    exact, denied = _replayed(record, limits)
    unknown = sum(1 for _ in record.with_outcome(*ERRORS))
    return Allowance(
        admitted=sum(key.admitted for key in keys.values()),
        least=max(int(exact * (1 - SLACK)) - unknown, 0),
        exact=exact,
        denied=denied,
        most=sum(mosts.values()),
        kills=sum(lost.get(number, 0) for number in keys),
        excess=sum(beyond),
        keys_beyond=len(beyond),
    )


def is_decided(record: Record, number: int) -> bool:
    """Tell if the limiter answered a request, and not a policy."""
    if record.outcomes[number] not in {Outcome.ADMITTED, Outcome.DENIED}:
        return False
    return record.source(number) not in BY_POLICY


def _decided(record: Record) -> dict[int, _Key]:
    keys: dict[int, _Key] = {}
    for number in range(len(record)):
        if not is_decided(record, number):
            continue
        key = keys.get(record.keys[number])
        if key is None:
            key = keys[record.keys[number]] = _Key(record.started[number])
        key.first = min(key.first, record.started[number])
        if record.outcomes[number] == Outcome.ADMITTED:
            key.admitted += 1
            key.last = max(key.last, record.ended[number])
    return keys


def _most(limits: Limits, key: _Key) -> int:
    return min(most_in(limit, key.last - key.first) for limit in limits)


def _replayed(record: Record, limits: Limits) -> tuple[int, int]:
    """Return how many requests an exact limiter admits and denies."""
    buckets, counts, clock = Buckets(MOST_KEYS * len(limits)), [0, 0], 0
    for number in range(len(record)):
        if is_decided(record, number):
            clock = max(clock, int(record.started[number] * SECOND))
            buckets.sweep(clock, 2)
            allowed, _ = buckets.take(str(record.keys[number]), limits, 1, clock)
            counts[0 if allowed else 1] += 1
    return counts[0], counts[1]


# --- kills


def _lost(record: Record, crashes: Sequence[Crash]) -> dict[int, int]:
    """Return how many requests of each key may be admitted once more, for the kills.

    That is what was admitted of it in the LOST seconds before its owner died, whoever that was.
    The moment of death is known to within NOTED_WITHIN: the worst one counts.
    """
    lost: dict[int, int] = {}
    longest = max(map(sub, record.ended, record.planned), default=0.0)
    for crash in crashes:
        begin, end = crash.killed - NOTED_WITHIN, crash.killed + NOTED_WITHIN
        first = bisect_left(record.planned, begin - LOST - longest)
        numbers = range(first, bisect_right(record.planned, end))
        for key, spans in _admitted(record, numbers).items():
            lost[key] = lost.get(key, 0) + most_within(spans, begin, end)
    return lost


def _admitted(record: Record, numbers: range) -> dict[int, list[tuple[float, float]]]:
    """Return for each key the spans in which it was admitted, of these requests."""
    spans: dict[int, list[tuple[float, float]]] = {}
    for number in numbers:
        if record.outcomes[number] == Outcome.ADMITTED and is_decided(record, number):
            span = record.started[number], record.ended[number]
            spans.setdefault(record.keys[number], []).append(span)
    return spans


def most_within(spans: Sequence[tuple[float, float]], begin: float, end: float) -> int:
    """Return how many decisions may lie in LOST seconds that end between `begin` and `end`.

    Each was made somewhere within its span.
    """
    starts = sorted(started for started, _ in spans)
    ends = sorted(ended for _, ended in spans)
    moments = [begin, *(started for started in starts if begin <= started <= end)]
    return max(bisect_right(starts, at) - bisect_left(ends, at - LOST) for at in moments)
