"""Apps whose sidecar is one of several behind a Service, and is replaced while they ask.

SIDEGATE_REPETITIONS says how often all sidecars are replaced, 5 times for a longer look.
"""

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from time import monotonic
from typing import Final

import pytest

from sidegate.buckets.decision import Decision
from sidegate.client.blocking import BlockingClient
from sidegate.client.client import Client
from tests.cluster.deploys.service import Service, service
from tests.support.apps.clients import show
from tests.support.in_process.cluster import admitted, client, eventually
from tests.support.processes.fleet import Fleet, fleet, repetitions

NODES: Final = ("n1", "n2", "n3")
AT_ONCE: Final = 8  # checks of the app in asyncio
THREADS: Final = 4  # of the app in threads
PLENTY: Final = "1000000000/hour"
SCARCE: Final = "10/hour"
HALF_SPENT: Final = [f"half{at}" for at in range(30)]  # of which nobody asks meanwhile
BUDGET: Final = 10.0
"""Seconds. Nothing here is to wait for a budget; and with the usual 50 ms a machine that is busy
with other things breaks it, which proves nothing."""


@dataclass
class App:
    """An app that asks without a pause, and what it was answered."""

    name: str
    sources: Counter[str] = field(default_factory=Counter[str])
    scarce: int = 0  # admitted of the scarce key
    longest: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, decision: Decision, began: float) -> None:
        """Keep who decided, and what it took."""
        with self.lock:
            self.sources[str(decision.source)] += 1
            self.longest = max(self.longest, monotonic() - began)
            if decision.limits.text == SCARCE:
                self.scarce += decision.allowed


@dataclass
class Apps:
    """One app in asyncio and one in threads, both asking the same address until it is over."""

    in_asyncio: App
    in_threads: App
    over: bool = False

    @property
    def both(self) -> tuple[App, App]:
        """Both."""
        return self.in_asyncio, self.in_threads

    async def go_on(self) -> None:
        """Wait until both have been answered many times more."""
        before = [app.sources.total() for app in self.both]
        await eventually(
            lambda: all(
                app.sources.total() > then + 100
                for app, then in zip(self.both, before, strict=True)
            )
        )

    def _questions(self, number: int) -> Iterator[tuple[str, str, float]]:
        """Yield plentiful keys, to the first asker also the scarce one, and when that was."""
        for turn in count(1):
            if self.over:
                return
            scarce = number == 0 and turn % 50 == 0
            key, limits = ("scarce", SCARCE) if scarce else (f"plenty{turn % 30}", PLENTY)
            yield key, limits, monotonic()

    async def run_in_asyncio(self, asking: Client, number: int) -> None:
        """Ask until it is over."""
        for key, limits, began in self._questions(number):
            self.in_asyncio.note(await asking.check(key, limits), began)

    def run_in_threads(self, asking: BlockingClient, number: int) -> None:
        """Do the same in a thread."""
        for key, limits, began in self._questions(number):
            self.in_threads.note(asking.check(key, limits), began)


@asynccontextmanager
async def apps(address: str) -> AsyncGenerator[Apps]:
    """Run both apps."""
    running = Apps(App("asyncio"), App("threads"))
    blocking = BlockingClient(
        address, budget=BUDGET, secret="", remember_denials=False, lease=False
    )
    async with client(address, budget=BUDGET) as asking:
        try:
            async with asyncio.TaskGroup() as group:
                for number in range(AT_ONCE):
                    group.create_task(running.run_in_asyncio(asking, number))
                for number in range(THREADS):
                    group.create_task(asyncio.to_thread(running.run_in_threads, blocking, number))
                try:
                    yield running
                finally:
                    running.over = True
        finally:
            blocking.close()


async def replace(cluster: Fleet, behind: Service, old: str, new: str, late: int) -> None:
    """Put a new sidecar in the place of an old one, as a Deployment does."""
    await cluster.start(new)
    behind.nodes.append(cluster.nodes[new])
    behind.drop(cluster.nodes[old], late=late)
    await cluster.stop(old)


async def admitted_of(asking: Client, key: str, times: int) -> int:
    """Ask about a key so many times; return how often it was allowed."""
    return admitted([await asking.check(key, SCARCE) for _ in range(times)])


def report(title: str, asked: Apps) -> None:
    """Print what the apps were answered."""
    for app in asked.both:
        show(
            f"{title}: {app.name}: {dict(app.sources)}, longest {app.longest * 1e3:.0f} ms,"
            f" {app.scarce} of the scarce key"
        )


@pytest.mark.parametrize("late", [0, 4], ids=["in_step", "the_service_lags_behind"])
async def test_no_check_is_answered_by_the_policy_while_all_are_replaced(late: int) -> None:
    """Three sidecars replaced one by one under load: no open answer, and none too many admitted."""
    async with fleet(*NODES, budget=BUDGET) as cluster:
        async with service(*cluster.nodes.values()) as behind, client(behind.address) as asking:
            spent = [await asking.check("scarce", SCARCE) for _ in range(5)]
            before = [await admitted_of(asking, key, 5) for key in HALF_SPENT]
            async with apps(str(behind.address)) as asked:
                await asked.go_on()
                for round_ in range(repetitions(1)):
                    for at, old in enumerate(list(cluster.nodes)):
                        await replace(cluster, behind, old, f"r{round_}.{at}", late)
                        await asked.go_on()
            after = [await admitted_of(asking, key, 20) for key in HALF_SPENT]
        report("replaced", asked)
        assert all(app.sources.keys() <= {"owner", "backup"} for app in asked.both)
        assert sum(it.allowed for it in spent) + sum(app.scarce for app in asked.both) == 10
        assert (before, after) == ([5] * len(HALF_SPENT), [5] * len(HALF_SPENT))


async def test_a_kill_costs_what_was_in_flight() -> None:
    """When a sidecar is killed, the policy answers for what was in flight there, and no more."""
    async with fleet(*NODES, budget=BUDGET) as cluster:
        n1, *others = cluster.nodes.values()
        async with service(n1) as behind, apps(str(behind.address)) as asked:
            await asked.go_on()
            behind.nodes = others
            cluster.kill("n1")
            await asked.go_on()
        report("killed", asked)
        assert asked.in_asyncio.sources["open"] <= AT_ONCE
        assert asked.in_threads.sources["open"] == 0  # asked once more, as ever
