"""Slots of real sidecars in this process, asked for by clients of event loops."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from sidegate.client.client import Client
from sidegate.errors import NoSlot
from sidegate_sidecar.process import Process
from tests.support.in_process.cluster import client, cluster, eventually, key_of

KEY = "user:42"
PATIENT = 20.0  # seconds


@pytest.fixture
async def pair() -> AsyncIterator[list[Process]]:
    async with cluster("a", "b") as nodes:
        yield nodes


def held_at(node: Process, key: str) -> int:
    return node.sessions.slots.node.owner.table.in_flight(key)


@pytest.mark.parametrize("owner", ["a", "b"])
async def test_no_more_are_held_than_may_be(pair: list[Process], owner: str) -> None:
    """Whether the sidecar that is asked owns the key or another one does."""
    first, second = pair
    key = key_of(owner, first.cluster.ring)
    async with client(first) as one, client(second) as other:
        async with one.slot(key, at_most=2) as got, other.slot(key, 2) as second_got:
            assert (got.in_flight, got.source) == (1, "owner")
            assert second_got.in_flight == 2
            with pytest.raises(NoSlot) as denied:
                async with one.slot(key, 2):
                    pytest.fail("a body without its slot")
            error = denied.value
            assert (error.key, error.at_most, error.in_flight, error.source) == (key, 2, 2, "owner")
        await eventually(lambda: not any(held_at(node, key) for node in pair))


async def test_many_tasks_take_turns(pair: list[Process]) -> None:
    inside = most = done = 0

    async def work(asking: Client) -> None:
        nonlocal inside, most, done
        async with asking.slot(KEY, 4, timeout=PATIENT):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1
            done += 1

    async with client(pair[0]) as one, client(pair[1]) as other, asyncio.TaskGroup() as tasks:
        for at in range(200):
            tasks.create_task(work(one if at % 2 else other))
    assert (most, done) == (4, 200)


@pytest.mark.parametrize("owner", ["a", "b"])
async def test_what_an_app_holds_is_free_when_its_link_breaks(
    pair: list[Process], owner: str
) -> None:
    first = pair[0]
    key = key_of(owner, first.cluster.ring)
    gone, stays = client(first), client(first)
    async with stays:
        slot = gone.slot(key, 1)
        await slot.__aenter__()
        await gone.close()
        async with stays.slot(key, 1, timeout=PATIENT) as got:
            assert got.in_flight == 1


async def test_who_is_cancelled_while_asking_holds_nothing(pair: list[Process]) -> None:
    async with client(pair[0]) as asking, asking.slot(KEY, 1):
        waiting = [asyncio.create_task(enter(asking)) for _ in range(20)]
        await eventually(lambda: waiters(pair) == 20)
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)
        await eventually(lambda: waiters(pair) == 0)
    await eventually(lambda: not any(held_at(node, KEY) for node in pair))


async def enter(asking: Client) -> None:
    async with asking.slot(KEY, 1, timeout=PATIENT):
        pass


def waiters(nodes: list[Process]) -> int:
    return sum(node.sessions.slots.node.owner.table.waiting for node in nodes)


async def test_a_busy_loop_has_its_answers_late_and_its_slots_all_the_same(
    pair: list[Process],
) -> None:
    """It isn't taken for a sidecar that is silent, which would let the body run without one."""
    async with client(pair[0], budget=0.05) as asking:
        async with asking.slot("warm", 1):
            pass
        for at in range(5):
            entering = asyncio.create_task(entered(asking, f"{KEY}{at}"))
            await asyncio.sleep(0)
            busy_until = time.monotonic() + 0.2
            while time.monotonic() < busy_until:
                pass
            assert await entering == "owner"


async def entered(asking: Client, key: str) -> str:
    async with asking.slot(key, 1) as got:
        return got.source
