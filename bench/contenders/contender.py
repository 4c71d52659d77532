"""Contender: one way to decide a check, as something whose load can be measured."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import cycle
from typing import TYPE_CHECKING, Any, TypeAlias

from bench.lab.load import Ask, Point, drive

if TYPE_CHECKING:
    from collections.abc import Sequence

_AT_ONCE = 256
_SHUFFLED = 1 << 16  # keys drawn before the clock runs, and used again and again

Measure: TypeAlias = Callable[[int, float], Awaitable[Point]]


@dataclass(frozen=True, slots=True)
class Contender:
    """A name, how to measure it (checks in flight, seconds), and what the table says it ran."""

    name: str
    note: str
    measure: Measure


async def charge_all(ask: Ask, keys: Sequence[str]) -> None:
    """Charge every key once, a few at a time: from then on there is a bucket for each."""
    for start in range(0, len(keys), _AT_ONCE):
        await asyncio.gather(*map(ask, keys[start : start + _AT_ONCE]))


def python_contender(
    name: str, note: str, ask: Ask, allowed: Callable[[Any], bool], keys: Sequence[str]
) -> Contender:
    """Return a contender that the closed loop of this process drives, with keys at random."""
    order = cycle(random.Random(0).choices(keys, k=_SHUFFLED))

    async def measure(in_flight: int, seconds: float) -> Point:
        return await drive(ask, allowed, order, in_flight, seconds)

    return Contender(name, note, measure)
