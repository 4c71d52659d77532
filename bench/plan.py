"""Plan: which parts a run measures, how often and for how long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

T = TypeVar("T")

IN_FLIGHT: Final = (1, 16, 64, 256)
BACKED_UP_IN_FLIGHT: Final = (64, 256)
KEYS: Final = 10_000

LIMIT_WINDOW: Final = 86_400
LIMIT_TOKENS: Final = 10_000
LIMIT: Final = f"{LIMIT_TOKENS}/day"
"""Out of reach: no run makes a third as many checks on a key. And once a key was charged it stays
in debt, as a busy key does, so that every contender updates what it holds."""

HELD_TOKENS: Final = 100
HELD_LIMIT: Final = f"{HELD_TOKENS}/day"  # a key stays in debt for longer than it takes to fill

OUT_OF_REACH: Final = "10000000/hour"  # for the web apps, where all requests share one key
THREE: Final = (OUT_OF_REACH, "1000000/minute", "100000000/day")
TINY: Final = "1/hour"


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure. Times are in seconds, for each point of each round."""

    parts: tuple[str, ...]
    rounds: int
    seconds: float
    warm_up: float
    wrk_seconds: int  # wrk knows whole seconds only
    slices: int  # of one second, for each web app that is compared with others in turn
    keys_held: int  # for the memory of a key, and to hand over
    kills: int  # of owners, in all
    idle: float  # in all rounds, for each cluster that nobody asks
    members: int  # of such a cluster at most, however many cores there are
    leaves: int  # of a fleet at most, as far as memory goes
    owners: int  # of a cluster whose nodes all start at once


def full_plan(parts: tuple[str, ...], rounds: int | None) -> Plan:
    """Return the plan behind the published figures: about fifty minutes."""
    return Plan(parts, rounds or 3, 2.0, 0.3, 2, 15, 1_000_000, 20, 10.0, 100, 490, 200)


def quick_plan(parts: tuple[str, ...], rounds: int | None) -> Plan:
    """Return a plan for someone at work on the code: ten minutes, and only roughly right."""
    return Plan(parts, rounds or 1, 0.5, 0.1, 1, 3, 200_000, 5, 3.0, 10, 30, 20)


def rotated(contenders: Sequence[T], round_: int) -> list[T]:
    """Return who is measured in which order: each round begins with another one."""
    first = round_ % len(contenders)
    return [*contenders[first:], *contenders[:first]]


def key_names(count: int) -> Iterator[str]:
    """Make keys like those that redis-benchmark makes of `user:__rand_int__`, one at a time."""
    return (f"user:{number:012}" for number in range(count))
