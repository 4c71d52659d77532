"""Slots of a real sidecar in this process, asked for by threads."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import TypeVar

import pytest

from sidegate.client.blocking import BlockingClient
from sidegate.errors import NoSlot
from sidegate.link.connection import Connection
from sidegate_sidecar.process import Process
from tests.support.in_process.cluster import cluster, eventually
from tests.support.in_process.older import older_puppet

KEY = "user:42"
PATIENT = 20.0  # seconds
T = TypeVar("T")


@pytest.fixture
async def node() -> AsyncIterator[Process]:
    async with cluster("a") as nodes:
        yield nodes[0]


def client(node: Process) -> BlockingClient:
    return BlockingClient(str(node.link), budget=PATIENT, secret="")


def held(node: Process) -> int:
    return node.sessions.slots.node.owner.table.in_flight(KEY)


async def in_thread(work: Callable[[], T]) -> T:
    return await asyncio.to_thread(work)


async def test_threads_hold_no_more_than_may_be(node: Process) -> None:
    def work() -> None:
        with client(node) as asking:
            with asking.slot(KEY, 2) as got, asking.slot(KEY, 2) as second:
                assert (got.in_flight, second.in_flight, got.source) == (1, 2, "owner")
                with pytest.raises(NoSlot), asking.slot(KEY, 2):
                    pytest.fail("a body without its slot")
            with asking.slot(KEY, 1, timeout=PATIENT) as got:
                assert got.in_flight == 1

    await in_thread(work)


async def test_threads_take_turns(node: Process) -> None:
    inside = most = done = 0
    lock = threading.Lock()

    def work(asking: BlockingClient) -> None:
        nonlocal inside, most, done
        with asking.slot(KEY, 3, timeout=PATIENT):
            with lock:
                inside += 1
                most = max(most, inside)
            with lock:
                inside -= 1
                done += 1

    with client(node) as asking:
        await asyncio.gather(*(in_thread(lambda: work(asking)) for _ in range(30)))
    assert done == 30
    assert most <= 3


async def test_what_a_client_holds_is_free_when_it_is_closed(node: Process) -> None:
    asking = client(node)
    slot = asking.slot(KEY, 1)
    await in_thread(slot.__enter__)
    assert held(node) == 1
    asking.close()
    await eventually(lambda: held(node) == 0)


async def test_another_connection_tells_what_is_held(node: Process) -> None:
    with client(node) as asking:
        slot = asking.slot(KEY, 1)
        await in_thread(slot.__enter__)
        before = set(node.sessions.open)
        for connection in before:
            connection.transport.abort()
        await eventually(lambda: held(node) == 1 and not before & node.sessions.open)
        await in_thread(lambda: slot.__exit__(None, None, None))
        await eventually(lambda: held(node) == 0)


def _is_linked_anew(node: Process, lost: set[Connection]) -> bool:
    return bool(node.sessions.open - lost)


async def test_a_clock_that_tests_of_an_app_move_by_sleeping_isn_t_moved_by_its_thread(
    node: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    sleepers: list[str] = []

    def sleep(_: float) -> None:
        sleepers.append(threading.current_thread().name)

    monkeypatch.setattr(time, "sleep", sleep)
    with client(node) as asking:
        slot = asking.slot(KEY, 1)
        await in_thread(slot.__enter__)
        for _ in range(5):
            accepted = set(node.sessions.open)
            for connection in accepted:
                connection.transport.abort()
            await eventually(partial(_is_linked_anew, node, accepted))
    assert "sidegate slots" not in sleepers


async def test_a_sidecar_of_an_older_release_is_not_waited_for() -> None:
    """It has no slots, so `on_unreachable` decides at once, as where nobody listens."""
    async with older_puppet() as older, asyncio.timeout(PATIENT):

        def work() -> str:
            asking = BlockingClient(str(older.address), budget=2 * PATIENT, secret="")
            with asking, asking.slot(KEY, 1) as got:
                return got.source

        assert await in_thread(work) == "open"
