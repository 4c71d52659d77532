"""Peeking and resetting where limits are kept in the process, or switched off."""

import asyncio
from collections.abc import Iterator

import pytest

from sidegate.client.blocking import BlockingClient
from sidegate.client.client import Client
from sidegate.client.memory import PROCESS
from sidegate.testing import Memory

DAY = "5/day; 9/week"
SPENT = {"5/day": 3, "9/week": 3}


@pytest.fixture(autouse=True)
def _whole() -> Iterator[None]:
    PROCESS.reset()
    yield
    PROCESS.reset()


async def test_the_buckets_of_the_process_answer() -> None:
    async with Client("memory") as asking:
        await asking.check("k", DAY, 3)
        assert await asking.peek("k") == BlockingClient("memory").peek("k") == SPENT
        assert await asking.reset("k") == SPENT
        assert await asking.peek("k") == {}


@pytest.mark.parametrize("sidecar", ["127.0.0.1:1", "memory", "off"])
async def test_in_a_test_its_own_buckets_answer(sidecar: str, sidegate: Memory) -> None:
    async with Client(sidecar) as asking:
        blocking = BlockingClient(sidecar)
        await asking.check("k", DAY, 3)
        assert await asking.peek("k") == blocking.peek("k") == sidegate.spent("k") == SPENT
        assert blocking.reset("k") == SPENT
        assert await asking.peek("k") == sidegate.spent("k") == {}


async def test_who_waits_asks_when_the_key_was_reset(sidegate: Memory) -> None:
    async with Client() as asking:
        await asking.check("k", "1/day")
        waiting = asyncio.create_task(asking.acquire("k", "1/day"))
        await asyncio.sleep(0)  # it waits
        assert await asking.reset("k") == {"1/day": 1}
        assert (await waiting).allowed
    assert sidegate.fill("k") == {"1/day": 1}


async def test_where_limits_are_switched_off_nothing_is_spent() -> None:
    async with Client("off") as asking:
        await asking.check("k", DAY)
        assert await asking.peek("k") == await asking.reset("k") == {}
        assert BlockingClient("off").reset("k") == {}
