"""A crowd: many clients that check all the time, and a tally of what they were answered."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import cycle
from time import monotonic

from sidegate.buckets.decision import Decision
from sidegate.buckets.limits import Limit, parse_limits
from sidegate.client.client import Client
from tests.support.in_process.cluster import client, eventually
from tests.support.processes.fleet import Fleet

STEADY = 0.5  # seconds of a limit's rate: five times as long as changes wait to be sent
WITHIN = 120.0  # seconds for what takes a few on a machine with nothing else to do


@dataclass(slots=True)
class Tally:
    """What was answered about one key. Times are in seconds of time.monotonic."""

    since: float  # when it was first asked about
    until: float = 0.0  # when the last answer came
    offered: int = 0
    admitted: int = 0
    latest: dict[tuple[str, bool], float] = field(default_factory=dict[tuple[str, bool], float])
    """When a check was last asked that a source then allowed, or denied."""
    first: dict[str, float] = field(default_factory=dict[str, float])
    """When the first answer of a source came, since the crowd last forgot."""


@dataclass(slots=True)
class Crowd:
    """Clients that go where their sidecars are: each has one check under way."""

    fleet: Fleet
    keys: Sequence[str]
    limits: str
    budget: float
    pace: float = 0.0
    """Seconds between two checks of a client."""
    homes: list[str] = field(default_factory=list[str])
    """The nodes that are asked."""
    tallies: dict[str, Tally] = field(default_factory=dict[str, Tally])
    sources: Counter[str] = field(default_factory=Counter[str])
    asked: int = 0
    took: list[float] = field(default_factory=list[float])
    """Seconds that each check took, since the crowd last forgot."""
    longest: float = 0.0
    over: bool = False
    _clients: dict[str, Client] = field(default_factory=dict[str, "Client"])

    async def come(self, *names: str) -> None:
        """Ask these nodes too."""
        for name in names:
            asking = client(str(self.fleet.nodes[name].link), budget=self.budget)
            assert await asking.connect()
            self._clients[name] = asking
            self.homes.append(name)

    def go(self, name: str) -> None:
        """Ask a node no more; what it was asked before it is still to answer."""
        self.homes.remove(name)

    async def part(self, name: str) -> None:
        """Close the client of a node that has ended."""
        await self._clients.pop(name).close()

    async def run(self, number: int, keys: Iterable[str]) -> None:
        """Be one of the clients, until it is over."""
        for key in keys:
            if self.over:
                return
            await self._ask(self._clients[self.homes[number % len(self.homes)]], key)
            if self.pace:
                await asyncio.sleep(self.pace)

    async def _ask(self, asking: Client, key: str) -> None:
        began, self.asked = monotonic(), self.asked + 1
        tally = self.tallies.setdefault(key, Tally(began))
        tally.offered += 1
        decision = await asking.check(key, self.limits)
        ended = monotonic()
        self.took.append(ended - began)
        self.longest = max(self.longest, ended - began)
        self._note(tally, decision, began, ended)

    def _note(self, tally: Tally, decision: Decision, began: float, ended: float) -> None:
        source = str(decision.source)
        self.sources[source] += 1
        tally.until = ended
        tally.admitted += decision.allowed
        tally.latest[source, decision.allowed] = began
        tally.first.setdefault(source, ended)

    def forget(self) -> None:
        """Begin to note anew how long checks take, and who answers first."""
        self.took.clear()
        for tally in self.tallies.values():
            tally.first.clear()

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until the condition is true, while the crowd goes on."""
        await eventually(condition, WITHIN)

    async def spent(self, *sources: str) -> None:
        """Wait until each key is asked about and denied by one of these sources, from now on."""
        now = monotonic()
        await self.until(
            lambda: (
                len(self.tallies) == len(self.keys)
                and all(
                    any(it.latest.get((source, False), 0.0) > now for source in sources)
                    for it in self.tallies.values()
                )
            )
        )

    async def steady(self) -> None:
        """Wait until of each key nothing but the rate has been admitted for a while.

        Then the nodes have had time to tell each other that the burst is spent.
        """
        least = self._limit.burst + self._rate * STEADY
        await self.until(
            lambda: (
                len(self.tallies) == len(self.keys)
                and min(it.admitted for it in self.tallies.values()) >= least
            )
        )

    @property
    def _limit(self) -> Limit:
        return parse_limits(self.limits).items[0]

    @property
    def _rate(self) -> float:
        return self._limit.tokens / self._limit.window

    def excess(self) -> dict[str, float]:
        """Return what was admitted of each key beyond burst and rate: 0 or less if all was well."""
        burst, rate = self._limit.burst, self._rate
        return {
            key: it.admitted - burst - rate * (it.until - it.since)
            for key, it in self.tallies.items()
        }

    def p99(self) -> float:
        """Return what 99 of 100 checks took at most, in seconds, since the crowd last forgot."""
        return sorted(self.took)[len(self.took) * 99 // 100]


@asynccontextmanager
async def crowd(
    fleet: Fleet, keys: Sequence[str], limits: str, *, size: int, budget: float, pace: float = 0.0
) -> AsyncGenerator[Crowd]:
    """Keep asking all nodes of a fleet; in the end each check has been answered in its budget."""
    many = Crowd(fleet, keys, limits, budget, pace)
    try:
        await many.come(*fleet.nodes)
        async with asyncio.TaskGroup() as group:
            in_turn = cycle(keys)
            for number in range(size):
                group.create_task(many.run(number, in_turn))
            try:
                yield many
            finally:
                many.over = True
    finally:
        for name in list(many._clients):
            await many.part(name)
    assert many.sources.total() == many.asked
    assert many.longest <= budget
