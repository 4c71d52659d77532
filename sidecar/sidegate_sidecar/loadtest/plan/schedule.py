"""The schedule: what is sent when, planned before the first request. Pure."""

from __future__ import annotations

from heapq import merge
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from sidegate_sidecar.loadtest.plan.arrivals import moments
from sidegate_sidecar.loadtest.plan.keys import picks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sidegate_sidecar.loadtest.plan.scenario import Scenario


class Planned(NamedTuple):
    """A request to be sent: seconds from the start, the number of its stream and of its key."""

    at: float
    stream: int
    key: int


def schedule(scenario: Scenario, seed: int) -> Iterator[Planned]:
    """Yield all requests of all streams in order; the same for the same seed.

    Nothing is kept: a plan of millions of requests takes no memory.
    """
    return merge(*(requests_of(scenario, number, seed) for number in range(len(scenario.streams))))


def requests_of(scenario: Scenario, number: int, seed: int) -> Iterator[Planned]:
    """Yield the requests of one stream in order; a longer scenario begins with the same."""
    stream = scenario.streams[number]
    # A random source for each purpose: when one stream is changed, the others stay as they were.
    when, who = (Random(f"{seed}/{stream.name}/{use}") for use in ("when", "who"))  # noqa: S311
    arrivals = stream.arrivals or scenario.arrivals
    start, seconds = stream.start, scenario.seconds_of(stream)
    keys = picks(stream.pick, stream.keys, who)
    for moment in moments(arrivals, stream.rate, seconds, when):
        yield Planned(start + moment, number, next(keys))
