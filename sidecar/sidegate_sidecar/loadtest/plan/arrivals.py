"""Arrivals: the moments at which the requests of a stream are to start. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random


class Arrivals(StrEnum):
    """How the requests of a stream are spread over its time."""

    EVEN = "even"  # at equal distances
    POISSON = "poisson"  # each for itself, as those of many clients that don't know each other


def moments(arrivals: Arrivals, rate: float, seconds: float, random: Random) -> Iterator[float]:
    """Yield moments in seconds from 0 to below `seconds`, in order, `rate` a second."""
    if arrivals is Arrivals.EVEN:
        yield from (number / rate for number in range(round(rate * seconds)))
        return
    moment = random.expovariate(rate)
    while moment < seconds:
        yield moment
        moment += random.expovariate(rate)
