"""What happens at the same time: changes while values are made, and functions that ask again."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from sidegate import BlockingCache, Cache
from sidegate.cache.session import CacheSession
from sidegate.client.config import client_options
from sidegate.protocol.cache_messages import CacheState, CacheValues
from tests.support.in_process.caching import Loads, caches
from tests.support.in_process.cluster import GENEROUS, cluster, eventually

HELD: dict[str, Any] = {"ttl": "1h", "budget": GENEROUS, "lease": GENEROUS}


@pytest.mark.parametrize("change", ["delete", "clear", "set"])
@pytest.mark.parametrize("mode", ["memory", "sidecar"])
async def test_who_asks_after_a_change_gets_nothing_that_was_loaded_before(
    change: str, mode: str
) -> None:
    """Neither from the load that is under way, nor from what that brings in the end."""
    load = Loads()
    load.go_on.clear()
    async with cluster("n1") as (node,):
        sidecar = mode if mode == "memory" else str(node.link)
        async with Cache("races", sidecar=sidecar, **HELD) as cache:
            key = f"{change} it"
            first = asyncio.ensure_future(cache.get_or_set(key, load))
            await eventually(lambda: load.keys)
            arguments = {"delete": [key], "clear": [], "set": [key, "set"]}
            assert await getattr(cache, change)(*arguments[change])
            second = asyncio.ensure_future(cache.get_or_set(key, load))
            if change != "set":
                await eventually(lambda: len(load.keys) == 2)
            load.go_on.set()
            await first
            new = "set" if change == "set" else {"key": key, "load": 2}
            assert await second == new
            assert await cache.get(key) == new


def test_threads_get_nothing_either_that_was_loaded_before() -> None:
    """The same for BlockingCache."""
    loading, go_on, loads = threading.Event(), threading.Event(), list[int]()

    def load() -> int:
        loads.append(1)
        mine = len(loads)
        loading.set()
        assert mine > 1 or go_on.wait(GENEROUS)
        return mine

    with BlockingCache("races", sidecar="memory", **HELD) as cache, ThreadPoolExecutor(1) as pool:
        first = pool.submit(cache.get_or_set, "t", load)
        assert loading.wait(GENEROUS)
        cache.delete("t")
        assert cache.get_or_set("t", load) == 2
        go_on.set()
        assert first.result(GENEROUS) == 1
        assert cache.get("t") == 2
        cache.clear()


async def test_what_can_not_be_read_is_not_kept_anew_after_a_deletion() -> None:
    """It is filled by a lease, as what isn't there."""
    load = Loads()
    load.go_on.clear()
    async with (
        cluster("n1") as (node,),
        caches(node) as (texts,),
        caches(node, type=dict[str, Any]) as (cache,),
    ):
        assert await texts.set("k", "old")
        first = asyncio.ensure_future(cache.get_or_set("k", load))
        await eventually(lambda: load.keys)
        assert await texts.delete("k")
        load.go_on.set()
        await first
        assert await cache.get("k") is None


async def test_a_function_that_asks_for_its_own_key_does_not_wait_for_itself() -> None:
    """Nor for one that waits for it; the function is called then."""
    async with asyncio.timeout(GENEROUS), Cache("races", sidecar="off", ttl="1h") as cache:

        async def inner() -> int:
            return 5

        async def outer() -> int:
            return await cache.get_or_set("k", inner) + 1

        assert await cache.get_or_set("k", outer) == 6

        both = asyncio.Barrier(2)

        async def ask(other: str) -> int:
            await both.wait()
            return await cache.get_or_set(other, inner)

        asked = cache.get_or_set("a", lambda: ask("b")), cache.get_or_set("b", lambda: ask("a"))
        assert list(await asyncio.gather(*asked)) == [5, 5]


def test_a_thread_does_not_wait_for_itself() -> None:
    """It would for ever."""
    with BlockingCache("races", sidecar="off", ttl="1h") as cache:
        ask = cache.get_or_set
        assert ask("k", lambda: ask("other", lambda: ask("k", lambda: 5) + 1) + 1) == 7


async def test_a_function_that_is_cancelled_by_what_it_calls_is_called_once() -> None:
    """All who wait are cancelled with it, as without a cache."""
    calls: list[int] = []

    async def load() -> None:
        calls.append(1)
        raise asyncio.CancelledError

    async with asyncio.timeout(GENEROUS), Cache("races", sidecar="off", ttl="1h") as cache:
        asked = [asyncio.ensure_future(cache.get_or_set("k", load)) for _ in range(3)]
        await asyncio.wait(asked)
    assert [it.cancelled() for it in asked] == [True] * 3
    assert calls == [1]


@pytest.mark.parametrize("is_cancelled", [False, True])
async def test_an_answer_may_come_in_the_turn_in_which_its_time_is_over(is_cancelled: bool) -> None:
    """Or in that in which who waits is cancelled: nothing breaks, nor does the connection."""
    faults: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: faults.append(context))
    budget = 0.02
    options = client_options("127.0.0.1:1", budget, None, None, "cache")
    session = CacheSession(loop, options, "races", 0, lambda _: None)
    no_link: Any = None  # it isn't looked at
    getting = asyncio.ensure_future(session.get(["k"]))
    await asyncio.sleep(0)
    answer = CacheValues(1, [(0, CacheState.HIT, 0, 0, b"v")])
    loop.call_later(budget / 2, session.on_message, no_link, answer)
    until = time.monotonic() + 2 * budget
    while time.monotonic() < until:
        pass  # the loop is held up
    if is_cancelled:
        getting.cancel()
        session.on_message(no_link, answer)
    await asyncio.wait([getting])
    await session.close()
    assert getting.cancelled() is is_cancelled
    assert faults == []
