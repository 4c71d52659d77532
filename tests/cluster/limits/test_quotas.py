"""Quotas over three sidecars, as processes: so many in each window, whoever is asked."""

import asyncio
from collections import Counter
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from sidegate import RateLimitMiddleware, Rule, header
from sidegate.buckets.limits import parse_limits
from sidegate_sidecar.lab.waiting import until
from tests.support.in_process.cluster import GENEROUS
from tests.support.processes.fleet import Fleet, fleet

NAMES = ("n1", "n2", "n3")
KEYS = [f"user:{at}" for at in range(12)]
YEARLY = "30/year window Europe/Berlin"


async def test_a_quota_is_exact_over_deploys_and_a_kill() -> None:
    """10 of 30 in a year are spent, all nodes are replaced, and 20 are left; then none."""
    async with fleet(*NAMES) as cluster:
        await cluster.whole()
        first = await cluster.admitted(KEYS, YEARLY, 10)
        assert first == dict.fromkeys(KEYS, 10)
        for old, new in zip(NAMES, ("m1", "m2", "m3"), strict=True):
            await cluster.start(new)
            await cluster.whole()
            await cluster.stop(old)
            await cluster.whole()
        assert await cluster.admitted(KEYS, YEARLY, 25) == dict.fromkeys(KEYS, 20)
        await backed_up(cluster)
        cluster.kill("m2")
        await cluster.whole()
        assert await cluster.admitted(KEYS, YEARLY, 5) == dict.fromkeys(KEYS, 0)


async def backed_up(cluster: Fleet) -> None:
    """Wait until the backups have all that was decided."""

    async def is_so() -> bool:
        views = [await cluster.look(name) for name in cluster.nodes]
        return not any(view["sync"]["lag"] for view in views)

    assert await until(is_so, within=GENEROUS, look_every=0.02)


async def test_each_window_that_is_seen_whole_has_just_its_quota() -> None:
    """Windows of a second, asked about all the time at three nodes."""
    text, tokens = "40/second window", 40
    counts = Counter[int]()
    async with fleet(*NAMES) as cluster, cluster.asking() as asking:
        limits = parse_limits(text)

        async def ask(client: Any) -> None:
            while len(counts) < 5:
                decision = await client.check("k", text)
                (number,) = decision.windows(limits)
                counts[number] += decision.allowed
                assert 0 < decision.reset_after <= 1
                assert decision.allowed or 0 < decision.retry_after <= 1

        async with asyncio.timeout(GENEROUS):
            await asyncio.gather(*(ask(client) for client in asking for _ in range(4)))
    first, *whole, last = sorted(counts)
    assert {counts[number] for number in whole} == {tokens}
    assert counts[first] <= tokens
    assert counts[last] <= tokens
    assert [first, *whole, last] == list(range(first, last + 1))


@pytest.mark.parametrize("text", ["3/year window", "50/second; 3/year window Asia/Tokyo"])
async def test_an_app_tells_its_clients_when_the_year_ends(text: str) -> None:
    async with fleet("n1") as cluster:
        app = FastAPI()
        app.add_middleware(
            RateLimitMiddleware,
            rules=[Rule("all", text, key=header("x-user"))],
            sidecar=str(cluster.nodes["n1"].link),
            budget=GENEROUS,
        )
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
            answers = [await client.get("/", headers={"x-user": "a"}) for _ in range(4)]
        period = parse_limits(text).items[-1].period
        assert period
        window = period.at(1_800_000_000 * 10**9)
        assert [it.status_code for it in answers] == [404, 404, 404, 429]
        left = int(answers[3].headers["retry-after"])
        assert 0 < left <= (window.end - window.begin) // 10**9 + 86_400
        assert f"t={left}" in answers[3].headers["ratelimit"]
        assert f"q=3;w={365 * 86_400}" in answers[0].headers["ratelimit-policy"]
