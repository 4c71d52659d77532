"""BlockingClient.acquire: threads wait until a check passes, in turn, and leave nothing behind."""

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from sidegate.client.blocking import BlockingClient
from sidegate.client.waiting.wait_queue import FIRST_PAUSE
from sidegate.errors import CostError, WaitTooLong
from sidegate.testing import Memory
from tests.middleware.client.puppet_client import SOON
from tests.middleware.client.scripts.run import run
from tests.support.in_process.sidecar_double import SidecarDouble
from tests.support.waiting import AMPLE, PATIENCE, until

LIMIT = "1/minute"


def is_idle(client: BlockingClient) -> bool:
    """Tell if nothing is left of those who waited."""
    return not client._waiting.queues.table


def asleep(client: BlockingClient, count: int = 1) -> None:
    """Wait until so many wait in the only queue, and the first of them has asked."""

    def happens() -> bool:
        queues = list(client._waiting.queues.table.values())
        return [(len(it.waiters), bool(it._debts)) for it in queues] == [(count, True)]

    until(happens)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(20) as threads:
        yield threads


def test_it_waits_until_the_bucket_has_what_it_costs(
    sidegate: Memory, pool: ThreadPoolExecutor
) -> None:
    client = BlockingClient()
    assert client.acquire("k", "5/minute", 4).remaining == 1
    waits = pool.submit(client.acquire, "k", "5/minute", 3)
    asleep(client)
    sidegate.advance(24)
    assert waits.result(AMPLE).allowed
    assert is_idle(client)


def test_they_are_served_in_the_order_in_which_they_came(
    sidegate: Memory, pool: ThreadPoolExecutor
) -> None:
    client, served = BlockingClient(), list[int]()
    client.check("k", LIMIT)

    def acquire(number: int) -> None:
        client.acquire("k", LIMIT)
        served.append(number)

    waits: list[Future[None]] = []
    for number in range(5):
        waits.append(pool.submit(acquire, number))
        asleep(client, number + 1)
    for number, wait in enumerate(waits):
        sidegate.advance(60)
        wait.result(AMPLE)
        assert served == [*range(number + 1)]
    assert is_idle(client)


def test_each_who_is_served_costs_one_question(
    sidecar: SidecarDouble, pool: ThreadPoolExecutor
) -> None:
    """The first is answered when all are there: who comes to an empty queue asks in any case."""
    limit = "100/second burst 1"
    with BlockingClient(sidecar.address, secret="", budget=AMPLE) as client:
        client.check("other", LIMIT)
        sidecar.forget()
        sidecar.freeze()
        start = time.monotonic()
        waits = [pool.submit(client.acquire, "k", limit) for _ in range(20)]
        until(lambda: [len(it.waiters) for it in client._waiting.queues.table.values()] == [20])
        sidecar.thaw()
        assert all(it.result(PATIENCE).allowed for it in waits)
        assert time.monotonic() - start >= 19 / 100
        assert sidecar.asked == 20
        assert is_idle(client)


def test_what_would_be_too_late_raises_at_once(sidegate: Memory) -> None:
    client = BlockingClient()
    assert client.acquire("k", LIMIT, timeout=0).allowed
    with pytest.raises(WaitTooLong, match=r'"k" .* 60 s more for "1/minute"'):
        client.acquire("k", LIMIT, timeout=59)
    with pytest.raises(CostError):
        client.acquire("k", LIMIT, 2)
    with pytest.raises(ValueError, match="timeout=-1"):
        client.acquire("k", LIMIT, timeout=-1)
    assert is_idle(client)
    assert sidegate.spent("k") == {LIMIT: 1}


def test_who_stands_behind_longer_than_its_timeout_leaves_nothing(
    sidegate: Memory, pool: ThreadPoolExecutor
) -> None:
    client = BlockingClient()
    client.acquire("k", "3/minute", 3)
    waits = pool.submit(client.acquire, "k", "3/minute", 3)
    asleep(client)
    with pytest.raises(WaitTooLong):
        client.acquire("k", "3/minute", 0, timeout=SOON)
    asleep(client)
    sidegate.advance(60)
    assert waits.result(AMPLE).allowed


def test_open_passes_at_once_and_closed_asks_until_the_timeout() -> None:
    nowhere = "unix:/nonexistent/sidegate.sock"
    assert BlockingClient(nowhere).acquire("k", LIMIT).source == "open"
    client, start = BlockingClient(nowhere, on_unreachable="closed"), time.monotonic()
    with pytest.raises(WaitTooLong):
        client.acquire("k", LIMIT, timeout=2 * FIRST_PAUSE)
    assert time.monotonic() - start >= 2 * FIRST_PAUSE
    assert is_idle(client)


def test_a_forked_child_waits_in_a_queue_of_its_own() -> None:
    """Also where a thread of its parent waits, which the child doesn't have."""
    assert run("in_waiting_fork.py") == ["child True", "parent 0 True"]


def test_under_gevent_one_thread_has_20_wait(sidecar: SidecarDouble) -> None:
    assert run("in_gevent_waiting.py", sidecar.address) == ["served 20", "others ran", "threads 1"]
    assert 20 <= sidecar.asked <= 2 * 20  # one more for each that comes when nobody waits
