"""What happens to three nodes is counted rightly: here to tables in this process."""

import time
from dataclasses import replace

from bench.peers.asking.messages import PeerError, Rate
from bench.peers.parts.deploy import DEPLOY
from bench.peers.parts.kill import AT_ONCE
from bench.peers.parts.overload import OVERLOAD
from bench.peers.systems import LAST, NODES
from bench.plan import quick_plan

from sidegate.buckets.buckets import BucketTable
from sidegate.buckets.limits import parse_limits

PLAN = replace(quick_plan((), None), seconds=0.04)


class Tables:
    """Three nodes, each with a table of its own, or with one for all."""

    def __init__(self, rate: Rate, *, shared: bool, forgets: bool = False) -> None:
        self._limits = parse_limits(f"{rate.tokens}/{rate.seconds} seconds")
        one = BucketTable()
        self._tables = [one if shared else BucketTable() for _ in range(NODES)]
        self._forgets = forgets
        self._failures = 0

    async def ask(self, front: int, key: str) -> bool:
        if self._failures:
            self._failures -= 1
            raise PeerError("nobody is there")
        return self._tables[front].take(key, self._limits, 1, time.monotonic_ns())[0]

    async def keys_of_last(self, names: list[str]) -> list[str]:
        return names[:4]

    async def replace(self) -> None:
        if self._forgets:
            self._tables = [BucketTable()] * NODES

    async def kill_last(self) -> None:
        await self.replace()
        self._failures = 5


async def test_one_bucket_for_all_admits_no_more_than_its_limit() -> None:
    figures = await OVERLOAD.run(Tables(OVERLOAD.rate, shared=True), PLAN)
    assert figures["too_many"] <= 0
    assert figures["errors"] == 0


async def test_a_bucket_at_each_node_admits_more() -> None:
    """Each has its own burst, and is asked for all of it."""
    figures = await DEPLOY.run(Tables(DEPLOY.rate, shared=False), PLAN)
    assert figures == {"mean": 30, "most": 30, "least": 30}


async def test_a_deploy_that_loses_nothing_admits_the_limit() -> None:
    figures = await DEPLOY.run(Tables(DEPLOY.rate, shared=True), PLAN)
    assert figures == {"mean": 10, "most": 10, "least": 10}


async def test_a_deploy_that_forgets_admits_what_was_spent_again() -> None:
    figures = await DEPLOY.run(Tables(DEPLOY.rate, shared=True, forgets=True), PLAN)
    assert figures == {"mean": 14, "most": 14, "least": 14}


async def test_a_kill_counts_what_was_lost_and_the_time_without_an_answer() -> None:
    figures = await AT_ONCE.run(Tables(AT_ONCE.rate, shared=True, forgets=True), PLAN)
    assert (figures["mean"], figures["most"]) == (150, 150)
    assert figures["ms"] > 0
    kept = await AT_ONCE.run(Tables(AT_ONCE.rate, shared=True), PLAN)
    assert (kept["mean"], kept["most"]) == (100, 100)


async def test_a_kill_asks_only_those_that_stay() -> None:
    """The last node is not asked: it is the one that dies."""
    asked: set[int] = set()

    class Noted(Tables):
        async def ask(self, front: int, key: str) -> bool:
            asked.add(front)
            return await super().ask(front, key)

    await AT_ONCE.run(Noted(AT_ONCE.rate, shared=True), PLAN)
    assert asked == set(range(LAST))
