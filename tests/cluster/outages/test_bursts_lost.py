"""Owners that are killed while the burst of a key is spent, as processes: how much of it is lost.

SIDEGATE_REPETITIONS says how many owners are killed for each limit, 20 for the whole of it.
"""

import asyncio
from collections.abc import Callable
from random import Random
from time import time_ns
from typing import Final

from sidegate.buckets.limits import parse_limits
from sidegate.client.client import Client
from tests.support.apps.clients import show
from tests.support.in_process.cluster import client, key_of
from tests.support.processes.fleet import Fleet, fleet, repetitions

SPENT: Final = (("1000/hour", False), ("100/hour", False), ("300/hour", True))
"""Limits, and whether checks are asked with `sync`."""
NAMES: Final = ("n1", "n2", "n3")
CLIENTS: Final = 16  # checks in flight
BUDGET: Final = 20.0  # seconds: whoever is asked answers on a machine that stands still too
LOST: Final = 0.05  # of a burst, at most: 1.6 % and what one frame of checks spends
UNCHARGED: Final = 3 * CLIENTS  # checks that may be charged twice, and to nobody's good


class Spending:
    """Clients that spend one key at the nodes that stay, and kill its owner in the midst of it."""

    def __init__(self, key: str, limit: str, kill_at: float, kill: Callable[[], object]) -> None:
        self.admitted = 0
        self._key = key
        self._limit = limit
        self._kill_at = kill_at
        self._kill = kill
        self._is_killed = False

    async def spend(self, asking: Client, *, sync: bool) -> None:
        """Be one of them, until somebody else than the owner that was killed denies it."""
        while True:
            was_killed = self._is_killed
            decision = await asking.check(self._key, self._limit, sync=sync)
            assert decision.source in {"owner", "backup"}
            self.admitted += decision.allowed
            if was_killed and not decision.allowed:
                return
            if self.admitted >= self._kill_at and not self._is_killed:
                self._is_killed = True
                self._kill()


async def _excess(cluster: Fleet, victim: str, key: str, limit: str, *, sync: bool) -> int:
    """Kill a node while a key of it is spent; return what was admitted beyond its burst."""
    burst = parse_limits(limit).smallest_burst
    at = burst * Random(time_ns()).uniform(0.1, 0.8)
    spending = Spending(key, limit, at, lambda: cluster.kill(victim))
    others = [str(cluster.nodes[name].link) for name in NAMES if name != victim]
    async with client(others[0], budget=BUDGET) as one, client(others[1], budget=BUDGET) as other:
        assert await one.connect()
        assert await other.connect()
        async with asyncio.TaskGroup() as group:
            for number in range(CLIENTS):
                group.create_task(spending.spend((one, other)[number % 2], sync=sync))
    return spending.admitted - burst


async def test_a_kill_while_a_burst_is_spent_loses_next_to_nothing_of_it() -> None:
    """And with `sync` nothing at all."""
    async with fleet(*NAMES, budget=BUDGET) as cluster:
        for at in range(repetitions(1) * len(SPENT)):
            limit, sync = SPENT[at % len(SPENT)]
            victim = NAMES[at % len(NAMES)]
            if at:
                await cluster.start(NAMES[(at - 1) % len(NAMES)])
                await cluster.whole()
            key = key_of(victim, cluster.ring, f"burst{at}.")
            excess = await _excess(cluster, victim, key, limit, sync=sync)
            burst = parse_limits(limit).smallest_burst
            show(f"kill -9 while {limit} is spent, sync={sync}: {excess} too many")
            assert -UNCHARGED <= excess <= (0 if sync else LOST * burst)
