"""The closed loop: N coroutines that each await one check after the other, as an app would.

A coroutine times one check of 16, so that the clock costs the fastest contender about one
percent. Every contender in Python is driven by this loop, with the same keys in the same order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, TypeAlias

from bench.results import VoidError

if TYPE_CHECKING:
    from collections.abc import Iterator

Ask: TypeAlias = Callable[[str], Awaitable[Any]]
_TIMED = 16  # a power of two


@dataclass(frozen=True, slots=True)
class Point:
    """What one load came to. Latencies in microseconds."""

    rate: float
    p50: float
    p99: float


class _Load:
    def __init__(self, ask: Ask, allowed: Callable[[Any], bool], keys: Iterator[str]) -> None:
        self._ask = ask
        self._allowed = allowed
        self._keys = keys
        self.running = True
        self.refused = 0
        self.latencies: list[int] = []

    async def loop(self, phase: int) -> int:
        """Check until told to stop; return how many checks that were."""
        ask, keys, clock = self._ask, self._keys, perf_counter_ns
        done = phase  # each coroutine starts elsewhere in its 16, or all would time the same turn
        while self.running or done == phase:  # at least one: a stall may outlast the whole time
            if done % _TIMED:
                await ask(next(keys))
            else:
                began = clock()
                answer = await ask(next(keys))
                self.latencies.append(clock() - began)
                self.refused += not self._allowed(answer)
            done += 1
        return done - phase

    def stop(self) -> None:
        self.running = False


async def drive(
    ask: Ask,
    allowed: Callable[[Any], bool],
    keys: Iterator[str],
    in_flight: int,
    seconds: float,
) -> Point:
    """Keep `in_flight` checks under way for some seconds."""
    load = _Load(ask, allowed, keys)
    asyncio.get_running_loop().call_later(seconds, load.stop)
    began = perf_counter_ns()
    counts = await asyncio.gather(*(load.loop(phase) for phase in range(in_flight)))
    elapsed = perf_counter_ns() - began
    if load.refused:
        raise VoidError(f"{load.refused} of {len(load.latencies)} timed checks were refused")
    load.latencies.sort()
    return Point(
        rate=sum(counts) / elapsed * 1e9,
        p50=quantile(load.latencies, 0.50),
        p99=quantile(load.latencies, 0.99),
    )


def quantile(ascending: list[int], share: float) -> float:
    """Return what this share of the latencies (ns, sorted) is at most, in microseconds."""
    return ascending[int(share * (len(ascending) - 1))] / 1000
