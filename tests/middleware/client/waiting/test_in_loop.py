"""Client.acquire: it waits until a check passes, in turn, and leaves nothing behind."""

import asyncio
import gc
import time
import weakref
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import pytest
import uvloop

from sidegate.client.client import Client
from sidegate.client.waiting.in_loop import LoopWaiting
from sidegate.client.waiting.wait_queue import FIRST_PAUSE
from sidegate.errors import CheckError, CostError, KeyTooLong, LimitError, NoEventLoop, WaitTooLong
from sidegate.protocol.messages import Checks, Forget
from sidegate.testing import Memory
from tests.middleware.client.puppet_client import SOON, nobody, pair, say
from tests.support.in_process.cluster import GENEROUS, eventually
from tests.support.in_process.sidecar_double import SidecarDouble
from tests.support.waiting import AMPLE, in_threads

T = TypeVar("T")

LIMIT = "1/minute"


def waiting(client: Client) -> LoopWaiting:
    return client._here().waiting


def is_idle(client: Client) -> bool:
    """Tell if nothing is left of those who waited."""
    here = waiting(client)
    return not (here.queues.table or here.timer.heap or here.timer.handle)


async def soon(happens: Awaitable[T]) -> T:
    """Await what must happen, with a deadline."""
    async with asyncio.timeout(GENEROUS):
        return await happens


def waiters(client: Client) -> int:
    """Return how many wait in the only queue."""
    (queue,) = waiting(client).queues.table.values()
    return len(queue.waiters)


async def asleep(client: Client, count: int = 1) -> None:
    """Wait until so many wait, and the first of them has asked."""
    await eventually(
        lambda: waiting(client).queues.table and waiters(client) == count and _asked(client)
    )


def _asked(client: Client) -> bool:
    (queue,) = waiting(client).queues.table.values()
    return bool(queue._debts)


async def test_what_passes_passes_at_once(sidegate: Memory) -> None:
    client = Client()
    assert (await client.acquire("k", "5/minute", 3)).remaining == 2
    assert sidegate.spent("k") == {"5/minute": 3}
    assert is_idle(client)


async def test_it_waits_until_the_bucket_has_what_it_costs(sidegate: Memory) -> None:
    client = Client()
    assert (await client.check("k", "5/minute", 4)).allowed
    task = asyncio.create_task(client.acquire("k", "5/minute", 3))
    await asleep(client)
    assert len(waiting(client).timer.heap) == 1
    sidegate.advance(24)
    assert (await soon(task)).allowed
    assert is_idle(client)


async def test_they_are_served_in_the_order_in_which_they_came(sidegate: Memory) -> None:
    """Also a cheap one behind an expensive one, which could pass before it."""
    client, served = Client(), list[int]()

    async def acquire(number: int) -> None:
        await client.acquire("k", "3/minute", 3 if number % 2 else 1)
        served.append(number)

    await client.check("k", "3/minute", 3)
    tasks = [asyncio.create_task(acquire(number)) for number in range(6)]
    await asleep(client, 6)
    for _ in range(12):
        sidegate.advance(20)
        before = -1
        while before != len(served):  # all that this lets through
            before = len(served)
            await asyncio.gather(*(client.check("other", LIMIT) for _ in range(5)))
            await asyncio.sleep(0)
    await soon(asyncio.gather(*tasks))
    assert served == [0, 1, 2, 3, 4, 5]
    assert is_idle(client)


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def test_each_who_is_served_costs_one_question(
    sidecar: SidecarDouble, run: Callable[[Coroutine[Any, Any, Any]], Any]
) -> None:
    """However many wait, and never faster than the limit."""

    async def scene() -> float:
        async with Client(sidecar.address, secret="", budget=AMPLE) as client:
            await client.connect()
            start = time.monotonic()
            await asyncio.gather(
                *(client.acquire("k", "100/second burst 1") for _ in range(20)),
            )
            took = time.monotonic() - start
            assert is_idle(client)
            return took

    assert run(scene()) >= 19 / 100
    assert sidecar.asked == 1 + 20


async def test_who_waits_behind_asks_nothing() -> None:
    async with pair() as (client, other):
        tasks = [asyncio.create_task(client.acquire("k", LIMIT)) for _ in range(50)]
        frame = await say(other, [0, 90 * 10**9])
        assert frame.checks == [("k", LIMIT, 1)]
        await asleep(client, 50)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        assert not [it for it in other.heard if isinstance(it, Checks)]
        assert is_idle(client)


async def test_what_would_be_too_late_raises_at_once(sidegate: Memory) -> None:
    client = Client()
    await client.acquire("k", LIMIT)
    with pytest.raises(WaitTooLong, match=r'"k" .* 60 s more for "1/minute"'):
        await client.acquire("k", LIMIT, timeout=59)
    task = asyncio.create_task(client.acquire("k", LIMIT))
    await asleep(client)
    with pytest.raises(TimeoutError):
        await client.acquire("k", LIMIT, timeout=59)
    assert waiters(client) == 1
    sidegate.advance(60)
    await soon(task)
    assert sidegate.spent("k") == {LIMIT: 1}


@pytest.mark.usefixtures("sidegate")
async def test_a_timeout_of_0_looks_once() -> None:
    client = Client()
    assert (await client.acquire("k", LIMIT, timeout=0)).allowed
    with pytest.raises(WaitTooLong):
        await client.acquire("k", LIMIT, timeout=0)
    assert is_idle(client)


async def test_who_stands_behind_longer_than_its_timeout_leaves_nothing(sidegate: Memory) -> None:
    client = Client()
    await client.acquire("k", "3/minute", 3)
    task = asyncio.create_task(client.acquire("k", "3/minute", 3))
    await asleep(client)
    queue = waiting(client).queues.table["k", "3/minute"]
    with pytest.raises(WaitTooLong):
        await client.acquire("k", "3/minute", 0, timeout=SOON)
    assert list(queue.waiters) == [queue.first]
    assert len(waiting(client).timer.heap) == 1
    sidegate.advance(60)
    await soon(task)


async def test_who_is_cancelled_leaves_nothing_and_the_next_takes_its_place(
    sidegate: Memory,
) -> None:
    client = Client()
    await client.acquire("k", LIMIT)
    first = asyncio.create_task(client.acquire("k", LIMIT))
    await asleep(client)
    second = asyncio.create_task(client.acquire("k", LIMIT))
    await asleep(client, 2)
    (queue,) = waiting(client).queues.table.values()
    seen: list[weakref.ref[Any]] = [weakref.ref(first), weakref.ref(queue.first)]
    first.cancel()
    await asyncio.wait([first])
    del first
    gc.collect()
    assert [it() for it in seen] == [None, None]
    assert waiters(client) == 1
    sidegate.advance(60)
    assert (await soon(second)).allowed
    assert is_idle(client)


async def test_the_first_is_cancelled_while_it_asks() -> None:
    async with pair() as (client, other):
        first = asyncio.create_task(client.acquire("k", LIMIT))
        frame = await other.hear(Checks)
        second = asyncio.create_task(client.acquire("k", LIMIT))
        await eventually(lambda: waiters(client) == 2)
        first.cancel()
        frame = await say(other, [1, 0])
        assert frame.checks == [("k", LIMIT, 1)]
        assert (await soon(second)).allowed
        assert is_idle(client)


async def test_a_reset_of_the_key_ends_the_wait() -> None:
    async with pair() as (client, other):
        task = asyncio.create_task(client.acquire("k", LIMIT))
        await say(other, [0, 90 * 10**9])
        await asleep(client)
        await other.say(Forget("other"), Forget("k"))
        await say(other, [1, 0])
        assert (await soon(task)).allowed
        assert not [it for it in other.heard if isinstance(it, Checks)]


async def test_an_answer_of_open_passes_at_once() -> None:
    async with nobody(on_unreachable="open", budget=SOON) as client:
        found = await asyncio.gather(*(client.acquire("k", "1/day") for _ in range(5)))
        assert {it.source for it in found} == {"open"}
        assert is_idle(client)


async def test_where_closed_it_asks_again_until_the_timeout() -> None:
    async with nobody(on_unreachable="closed", budget=SOON) as client:
        start = time.monotonic()
        with pytest.raises(WaitTooLong):
            await client.acquire("k", LIMIT, timeout=2 * FIRST_PAUSE)
        assert time.monotonic() - start >= 2 * FIRST_PAUSE
        assert is_idle(client)


async def test_where_closed_it_passes_when_the_sidecar_is_there(sidecar: SidecarDouble) -> None:
    sidecar.stop()
    options: dict[str, Any] = {"on_unreachable": "closed", "secret": "", "budget": AMPLE}
    async with Client(sidecar.address, **options) as client:
        tasks = [asyncio.create_task(client.acquire("k", "2/minute")) for _ in range(2)]
        queues = waiting(client).queues.table
        await eventually(lambda: queues and next(iter(queues.values()))._pauses)
        await asyncio.to_thread(sidecar.start)
        assert {it.source for it in await soon(asyncio.gather(*tasks))} == {"owner"}


async def test_what_can_not_be_asked_raises_as_a_check_does(sidegate: Memory) -> None:
    client: Any = Client()
    for error, arguments in [
        (CostError, ("k", LIMIT, 2)),
        (LimitError, ("k", "1/minuet")),
        (KeyTooLong, ("k" * 513, LIMIT)),
        (TypeError, (7, LIMIT)),
        (ValueError, ("k", LIMIT, 1, -1)),
    ]:
        with pytest.raises(error):
            await client.acquire(*arguments)
    assert is_idle(client)
    assert sidegate.keys() == []


async def test_a_check_that_can_not_be_decided_raises_and_the_next_asks() -> None:
    async with pair() as (client, other):
        tasks = [asyncio.create_task(client.acquire("k", LIMIT)) for _ in range(2)]
        await say(other, "the moon is too bright")
        await say(other, [1, 0])
        first, second = await soon(asyncio.gather(*tasks, return_exceptions=True))
        assert isinstance(first, CheckError)
        assert not isinstance(second, BaseException)
        assert is_idle(client)


def test_outside_of_a_loop_it_says_so() -> None:
    with pytest.raises(NoEventLoop):
        Client("memory").acquire("k", LIMIT).send(None)


def test_loops_in_many_threads_wait_for_one_key(sidecar: SidecarDouble) -> None:
    client = Client(sidecar.address, secret="", budget=AMPLE)

    async def scene() -> int:
        found = [await client.acquire("k", "200/second burst 1") for _ in range(5)]
        assert is_idle(client)
        return sum(it.allowed for it in found)

    start = time.monotonic()
    assert in_threads(4, lambda _: asyncio.run(scene())) == [5] * 4
    assert time.monotonic() - start >= 19 / 200


def test_a_loop_that_ends_cancels_who_waits(sidegate: Memory) -> None:
    client, tasks = Client(), list[asyncio.Task[Any]]()

    async def scene() -> None:
        await client.acquire("k", LIMIT)
        tasks.append(asyncio.create_task(client.acquire("k", LIMIT)))
        await asleep(client)

    asyncio.run(scene())
    assert [it.cancelled() for it in tasks] == [True]
    sidegate.advance(60)
    assert asyncio.run(_allowed(client))


async def _allowed(client: Client) -> bool:
    return (await client.acquire("k", LIMIT)).allowed
