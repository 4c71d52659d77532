"""Slots where no sidecar is asked: of the mode "memory", switched off, and by `on_unreachable`."""

import asyncio
import threading
from typing import Any

import pytest

from sidegate.client.blocking import BlockingClient
from sidegate.client.client import Client
from sidegate.client.unreachable.slots_here import HERE, SlotsHere
from sidegate.errors import KeyTooLong, NoSlot
from sidegate.slots.slot_table import Wanted
from sidegate.testing import isolated

KEY = "user:42"
NOWHERE = "127.0.0.1:1"  # where nobody listens
PATIENT = 20.0  # seconds


async def test_memory_gives_no_more_than_may_be_held() -> None:
    with isolated():
        async with Client("memory").slot(KEY, 1) as got:
            assert (got.source, got.in_flight, got.at_most) == ("memory", 1, 1)
            with pytest.raises(NoSlot, match=r'key "user:42": 1 of 1 slots are in flight'):
                async with Client(NOWHERE).slot(KEY, 1):
                    pytest.fail("a body without its slot")
        async with Client("memory").slot(KEY, 1) as got:
            assert got.in_flight == 1


def test_threads_take_turns_in_memory() -> None:
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

    with isolated(), BlockingClient("memory") as asking:
        threads = [threading.Thread(target=work, args=[asking]) for _ in range(40)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENT)
    assert done == 40
    assert most <= 3


def test_a_block_may_be_left_while_its_thread_asks_for_another_slot() -> None:
    """As that of a generator which Python's collector finds just then."""
    left: list[int] = []

    def clock() -> int:  # asked within the lock
        if left:
            here.free(left.pop())
        return 0

    def work() -> None:
        assert here.take(Wanted(1, KEY, 9, HERE, 1_000), None)
        left.append(1)
        assert here.take(Wanted(2, KEY, 9, HERE, 1_000), None)

    here = SlotsHere(clock)
    asking = threading.Thread(target=work, daemon=True)
    asking.start()
    asking.join(PATIENT)
    assert not asking.is_alive()
    assert here.in_flight(KEY) == 1


async def test_loops_and_threads_share_what_is_in_memory() -> None:
    with isolated(), BlockingClient("memory") as asking:
        with asking.slot(KEY, 1):
            waiting = asyncio.create_task(_hold(Client("memory"), PATIENT))
            await asyncio.sleep(0)
        assert (await waiting).in_flight == 1


async def test_time_that_a_test_moves_ends_what_is_held() -> None:
    with isolated() as memory:
        async with Client("memory").slot(KEY, 1, ttl=60):
            waiting = asyncio.create_task(_hold(Client("memory"), PATIENT))
            await asyncio.sleep(0)
            memory.advance(60)
            await waiting


async def test_who_is_cancelled_waits_no_more() -> None:
    with isolated():
        async with Client("memory").slot(KEY, 1):
            waiting = asyncio.create_task(_hold(Client("memory"), PATIENT))
            await asyncio.sleep(0)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
        await _hold(Client("memory"))


async def _hold(client: Client, wait: float = 0.0) -> Any:
    async with client.slot(KEY, 1, timeout=wait) as got:
        return got


async def test_switched_off_everything_runs() -> None:
    async with Client("off").slot(KEY, 1), Client("off").slot(KEY, 1) as got:
        assert got.source == "open"


async def test_a_body_runs_without_a_sidecar_if_it_may() -> None:
    asking = Client(NOWHERE, on_unreachable="open")
    async with asking, asking.slot(KEY, 1), asking.slot(KEY, 1) as got:
        assert (got.source, got.in_flight) == ("open", 0)


async def test_a_body_does_not_run_without_a_sidecar_if_it_may_not() -> None:
    async with Client(NOWHERE, on_unreachable="closed") as asking:
        with pytest.raises(NoSlot, match="nobody can be asked") as denied:
            await _hold(asking)
    assert (denied.value.source, denied.value.in_flight) == ("closed", 0)


async def test_a_process_may_decide_by_its_share() -> None:
    async with Client(NOWHERE, on_unreachable="local") as asking:
        asking._alone.nodes = 3
        async with asking.slot(KEY, 5) as got:
            assert (got.source, got.at_most) == ("local", 1)
            with pytest.raises(NoSlot):
                await _hold(asking)


def test_threads_go_by_the_policy_too() -> None:
    with BlockingClient(NOWHERE) as asking, asking.slot(KEY, 1), asking.slot(KEY, 1) as got:
        assert got.source == "open"
    asking = BlockingClient(NOWHERE, on_unreachable="closed")
    with asking, pytest.raises(NoSlot), asking.slot(KEY, 1):
        pytest.fail("a body without its slot")
    with BlockingClient(NOWHERE, on_unreachable="local") as asking, asking.slot(KEY, 1) as got:
        assert got.source == "local"
        with pytest.raises(NoSlot), asking.slot(KEY, 1):
            pytest.fail("a body without its slot")


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"at_most": 0}, r"at_most=0: expected a whole number from 1 to 1000000"),
        ({"at_most": True}, r"at_most=True"),
        ({"at_most": 1.5}, r"at_most=1.5"),
        ({"ttl": 0}, r"ttl=0: expected seconds from 0.001 to 86400"),
        ({"ttl": float("nan")}, r"ttl=nan"),
        ({"timeout": -1}, r"timeout=-1: expected seconds from 0 to 86400"),
        ({"timeout": float("inf")}, r"timeout=inf"),
        ({"timeout": "1"}, r"timeout='1'"),
    ],
)
def test_what_makes_no_sense_raises_at_once(wrong: dict[str, Any], told: str) -> None:
    options: dict[str, Any] = {"at_most": 1, **wrong}
    for client in (Client("memory"), BlockingClient("memory")):
        with pytest.raises(ValueError, match=told):
            client.slot(KEY, **options)


def test_a_key_that_no_node_holds_raises_at_once() -> None:
    with pytest.raises(KeyTooLong):
        Client("memory").slot("k" * 513, 1)


async def test_one_slot_is_held_once_at_a_time() -> None:
    with isolated():
        slot = Client("memory").slot(KEY, 2)
        async with slot:
            with pytest.raises(RuntimeError, match="it is held already"):
                await slot.__aenter__()
        async with slot as got:
            assert got.in_flight == 1
