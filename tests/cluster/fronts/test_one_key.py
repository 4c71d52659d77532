"""One key, asked about by all fronts over three sidecars: one limit, also while it changes."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

from tests.cluster.fronts.all_fronts import NAMES, Asker, Fronts, all_fronts
from tests.support.in_process.cluster import eventually_answered

ROUNDS = 12  # of questions by each: more than 50 in all


async def passed(askers: Sequence[Asker], key: str, times: int) -> int:
    """Have all ask so often about a key, side by side; return how many times it passed."""
    answers = await asyncio.gather(*(asker.ask(key) for asker in askers for _ in range(times)))
    return sum(answers)


async def test_all_fronts_share_one_limit(tmp_path: Path) -> None:
    """50 an hour pass in all, and one more for each 72 s that this takes."""
    async with all_fronts(tmp_path, "50/hour") as fronts:
        start = time.monotonic()
        for asker in fronts.askers:
            assert await asker.ask("one"), asker.name
        count = len(fronts.askers) + await passed(fronts.askers, "one", ROUNDS)
        back = (time.monotonic() - start) / 72
        assert 50 <= count <= 50 + back
        told = {asker.name: await asker.ask("one") for asker in fronts.askers}
        assert sum(told.values()) <= 1 + back, told


async def test_all_fronts_share_one_quota(tmp_path: Path) -> None:
    """50 a year pass in all; by a command of redis-cell the same key has a bucket meanwhile.

    Each front that asks by the other one carries over what was spent: to and fro, many times.
    """
    async with all_fronts(tmp_path, "50/year window Europe/Berlin") as fronts:
        start = time.monotonic()
        by_rules = [asker for asker in fronts.askers if asker.name != "redis"]
        for asker in by_rules:
            assert await asker.ask("one"), asker.name
        assert len(by_rules) + await passed(by_rules, "one", ROUNDS) == 50
        told = {asker.name: await asker.ask("one") for asker in by_rules}
        assert not any(told.values()), told
        count = await passed(fronts.askers, "both", ROUNDS)
        assert 50 <= count <= 50 + (time.monotonic() - start) / 72


async def test_a_limit_that_changes_under_load_keeps_what_was_spent(tmp_path: Path) -> None:
    """20 of 50 are 40 of 100, for all fronts; and no request fails while it changes."""
    async with all_fronts(tmp_path, "50/hour") as fronts:
        start = time.monotonic()
        assert await passed(fronts.askers[:4], "one", 5) == 20
        over = asyncio.Event()
        load = [asyncio.create_task(_ask_on(asker, over)) for asker in fronts.askers]
        await _change(fronts, "100/hour")
        over.set()
        asked = await asyncio.gather(*load)
        assert min(asked) > 1, asked
        by_rules = [asker for asker in fronts.askers if asker.name != "redis"]
        (redis,) = {*fronts.askers} - {*by_rules}
        count = await passed(by_rules, "one", ROUNDS)
        back = (time.monotonic() - start) / 36
        assert 60 <= count <= 60 + back
        assert await redis.ask("one") <= back  # which says itself that it is 50 an hour


async def _ask_on(asker: Asker, over: asyncio.Event) -> int:
    """Ask until it is over; return how often. Whoever gets no decision fails the test."""
    count = 0
    while not over.is_set():
        await asker.ask(f"load of {asker.name}")
        count += 1
        await asyncio.sleep(0.01)
    return count


async def _change(fronts: Fronts, limits: str) -> None:
    """Write the file; wait until all sidecars, and the app, go by it."""
    nodes = fronts.fleet.nodes

    async def digests() -> set[str]:
        asked = (asyncio.to_thread(nodes[name].get, "/v1/nodes") for name in NAMES)
        return {it["rules"] for told in await asyncio.gather(*asked) for it in told.json()["nodes"]}

    (before,) = await digests()
    fronts.write(limits)
    await eventually_answered(digests, lambda held: len(held) == 1 and before not in held)
    await eventually_answered(fronts.policy, lambda told: "q=100;" in told)
