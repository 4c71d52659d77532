"""A crowd: a closed loop whose clients come and go with their sidecars, until it is over.

Unlike the loop behind decisions per second it times every check, and looks at every answer: what
happens once in a million checks is what it is here for.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import perf_counter_ns
from typing import TYPE_CHECKING, Final, TypeAlias

from bench.lab.load import quantile
from bench.lab.sidecars import BUDGET, require
from bench.results import VoidError
from sidegate import Client, SidegateError, Source

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator

    from bench.lab.sidecars import Sidecar
    from sidegate import Decision

    Note: TypeAlias = Callable[[str, Decision, int, int], None]

LOOK_EVERY: Final = 0.005  # seconds between two looks whether what is waited for has happened
WITHIN: Final = 60.0  # seconds for it: ten times as long as any of it needs


@dataclass(slots=True)
class Stretch:
    """What a crowd was answered in some stretch of time. Latencies in ns."""

    since: int = field(default_factory=perf_counter_ns)
    until: int = 0
    latencies: list[int] = field(default_factory=list[int])
    sources: Counter[str] = field(default_factory=Counter[str])
    errors: int = 0

    def figures(self) -> dict[str, float]:
        """Return how long it was (s), checks a second, latencies (µs), and what went wrong."""
        ascending = sorted(self.latencies)
        seconds = (self.until - self.since) * 1e-9
        return {
            "seconds": seconds,
            "rate": len(ascending) / seconds,
            "p50": quantile(ascending, 0.50),
            "p99": quantile(ascending, 0.99),
            "most": quantile(ascending, 1.0),
            "undecided": self.sources[Source.OPEN] + self.sources[Source.CLOSED],
            "errors": self.errors,
        }


def joined(first: Stretch, second: Stretch) -> Stretch:
    """Return two stretches, one right after the other, as one."""
    return Stretch(
        first.since,
        second.until,
        first.latencies + second.latencies,
        first.sources + second.sources,
        first.errors + second.errors,
    )


class Crowd:
    """Coroutines that each have one check under way, spread over the nodes in `homes`."""

    def __init__(self, keys: Iterator[str], limits: str, note: Note, cost: int) -> None:
        self.homes: list[str] = []
        self._keys = keys  # without an end
        self._limits = limits
        self._note = note
        self._cost = cost
        self._clients: dict[str, Client] = {}
        self._stretch = Stretch()
        self._over = False
        self._tasks: list[asyncio.Task[None]] = []

    async def come(self, node: Sidecar) -> None:
        """Ask this node too, over its Unix socket."""
        client = Client(node.address, budget=BUDGET, lease=False, remember_denials=False)
        self._clients[node.name] = client
        if not await client.connect():
            raise VoidError(f"{node.name} does not answer")
        self.homes.append(node.name)

    def go(self, name: str) -> None:
        """Ask a node no more; what it was asked before is still to be answered."""
        self.homes.remove(name)

    async def part(self, name: str) -> None:
        """Close the client of a node that has ended."""
        await self._clients.pop(name).close()

    def start(self, size: int) -> None:
        """Have so many coroutines check from now on."""
        self._tasks = [asyncio.create_task(self._run(number)) for number in range(size)]

    async def _run(self, number: int) -> None:
        while not self._over:
            client = self._clients[self.homes[number % len(self.homes)]]
            key, began = next(self._keys), perf_counter_ns()
            try:
                decision = await client.check(key, self._limits, self._cost)
            except SidegateError:
                self._stretch.errors += 1
                continue
            ended = perf_counter_ns()
            self._stretch.latencies.append(ended - began)
            self._stretch.sources[decision.source] += 1
            self._note(key, decision, began, ended)

    def turn(self) -> Stretch:
        """Begin a new stretch, and return the one that ends here."""
        ended, self._stretch = self._stretch, Stretch()
        ended.until = self._stretch.since
        return ended

    async def stretch(self, seconds: float) -> Stretch:
        """Return what the next seconds are like."""
        self.turn()
        await asyncio.sleep(seconds)
        return self.turn()

    async def until(self, complaint: str, condition: Callable[[], bool]) -> None:
        """Wait until the condition is true, while the crowd goes on."""

        async def is_so() -> bool:
            return condition()

        await require(is_so, complaint, within=WITHIN, look_every=LOOK_EVERY)

    async def close(self) -> None:
        """End once all checks under way are answered."""
        self._over = True
        try:
            await asyncio.gather(*self._tasks)
        finally:
            for name in list(self._clients):
                await self.part(name)


def unnoted(_key: str, _decision: Decision, _began: int, _ended: int) -> None:
    """Note nothing of a check but what all crowds do."""


@asynccontextmanager
async def crowd(
    keys: Iterator[str],
    limits: str,
    size: int,
    *nodes: Sidecar,
    note: Note = unnoted,
    cost: int = 1,
) -> AsyncGenerator[Crowd]:
    """Keep asking these nodes; `note` is told of each check when (ns) it began and ended."""
    many = Crowd(keys, limits, note, cost)
    try:
        for node in nodes:
            await many.come(node)
        many.start(size)
        yield many
    finally:
        await many.close()
