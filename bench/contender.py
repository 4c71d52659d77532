"""Contender: one way to decide a check, as something whose load can be measured."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from bench.load import Ask, Point, drive

if TYPE_CHECKING:
    from collections.abc import Sequence

Measure: TypeAlias = Callable[[int, float], Awaitable[Point]]


@dataclass(frozen=True, slots=True)
class Contender:
    """A name, how to measure it (checks in flight, seconds), and what the table says it ran."""

    name: str
    note: str
    measure: Measure


def python_contender(
    name: str, note: str, ask: Ask, allowed: Callable[[Any], bool], keys: Sequence[str]
) -> Contender:
    """Return a contender that the closed loop of this process drives."""

    async def measure(in_flight: int, seconds: float) -> Point:
        return await drive(ask, allowed, keys, in_flight, seconds)

    return Contender(name, note, measure)
