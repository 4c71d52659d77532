"""Where no value can be had, functions are called, once at a time, and nothing is raised."""

import asyncio
import os
from typing import Any

import pytest

from sidegate import BlockingCache, Cache
from sidegate.testing import isolated
from sidegate_sidecar.process import Process
from tests.support.in_process.caching import Loads, cache_of, caches, key_at
from tests.support.in_process.cluster import GENEROUS, cluster, config, eventually

NOBODY = "127.0.0.1:1"


async def together(cache: Cache, load: Loads, times: int = 20) -> None:
    """Ask so often at the same time; one load serves all."""
    before = len(load.keys)
    load.go_on.clear()
    asked = [asyncio.ensure_future(cache.get_or_set("k", load)) for _ in range(times)]
    await eventually(lambda: len(load.keys) > before)
    load.go_on.set()
    values = await asyncio.gather(*asked)
    assert len(load.keys) == before + 1
    assert values == [{"key": "k", "load": before + 1}] * times


@pytest.mark.parametrize("sidecar", [NOBODY, "off"])
async def test_without_a_sidecar_a_function_runs_once_in_a_process_at_a_time(sidecar: str) -> None:
    """And nothing is kept."""
    load = Loads()
    async with Cache("users", ttl="1h", sidecar=sidecar) as cache:
        await together(cache, load)
        await together(cache, load)
        assert await cache.set("k", 1) is False
        assert await cache.get("k", 5) == 5
        assert await cache.get_many(["k"]) == {}
        done = sidecar == "off"
        assert [await cache.delete("k"), await cache.clear()] == [done, done]


def test_threads_without_a_sidecar_call_their_functions() -> None:
    with BlockingCache("users", ttl="1h", sidecar=NOBODY) as cache:
        assert [cache.get_or_set("k", lambda: 5) for _ in range(5)] == [5] * 5
        assert cache.get("k", 6) == 6
        assert not cache.set("k", 1)
        assert not cache.delete("k")


async def test_a_sidecar_without_a_cache_says_so_at_once() -> None:
    """No budget is waited for; others of its cluster do as if it was away."""
    load = Loads()
    async with cluster("n1", cache_bytes=0) as (off,), caches(off) as (cache,):
        assert off.cache is None
        await together(cache, load)
        assert await cache.set("k", 1) is False
        async with Process(config("n2", seeds=(off.link,))) as other:
            await eventually(lambda: len(other.cluster.ring.nodes) == 2)
            await eventually(lambda: other.peers.is_up("n1"))
            async with caches(other) as (second,):
                assert await second.get_or_set(key_at(off), lambda: 5) == 5
                assert await second.set(key_at(other), 1)
                assert await second.clear() is False


async def test_an_owner_that_is_gone_costs_nothing() -> None:
    """Until its keys have another owner."""
    load = Loads()
    async with cluster("n1", "n2") as (here, other), caches(here) as (cache,):
        key = key_at(other)
        assert await cache.set(key, 1)
        await other.stop()
        assert await cache.get_or_set(key, load) == {"key": key, "load": 1}


async def test_a_fill_survives_a_change_of_the_ring() -> None:
    """Who waits asks the new owner; what comes of the old lease is kept there."""
    load = Loads()
    load.go_on.clear()
    async with cluster("n1", "n2") as (here, other), caches(here, other) as (one, second):
        key = key_at(other)
        first = asyncio.ensure_future(one.get_or_set(key, load))
        await eventually(lambda: load.keys)
        waiting = asyncio.ensure_future(second.get_or_set(key, load))
        await eventually(lambda: cache_of(other).owner.fills.waiting)
        await other.leave()
        await eventually(lambda: len(load.keys) == 2)
        load.go_on.set()
        await asyncio.gather(first, waiting)
        assert len(load.keys) == 2
        assert await one.get(key) is not None


async def test_values_survive_a_node_that_leaves() -> None:
    """They are handed over within its drain."""
    async with cluster("n1", "n2") as (here, other), caches(here) as (cache,):
        keys = [f"k{at}" for at in range(500)]
        for key in keys:
            assert await cache.set(key, key)
        assert len(cache_of(other).owner.store) > 100
        departure = await other.leave()
        assert departure.left
        assert len(await cache.get_many(keys)) == 500


# --- without sidecars on purpose


async def test_tests_have_values_of_their_own() -> None:
    """And their time can be moved."""
    load = Loads()
    cache = Cache("users", ttl="5m", stale="5m", sidecar=NOBODY)
    threads = BlockingCache("users", ttl="5m", sidecar=NOBODY)
    with isolated() as memory:
        await together(cache, load)
        assert await cache.get_or_set("k", load) == {"key": "k", "load": 1}
        assert threads.get("k") == {"key": "k", "load": 1}
        memory.advance(400)
        load.go_on.clear()
        stale = [await cache.get_or_set("k", load) for _ in range(5)]
        assert stale == [{"key": "k", "load": 1}] * 5
        await eventually(lambda: len(load.keys) == 2)
        load.go_on.set()
        await eventually(lambda: not cache._tasks)
        assert await cache.get("k") == {"key": "k", "load": 2}
        memory.advance(601)
        assert await cache.get("k") is None
        assert await cache.set("k", 1)
        assert await cache.clear()
        assert threads.get("k") is None
        threads.set("k", 1)
        threads.delete("k")
        assert await cache.get("k") is None
    with isolated():
        assert await cache.get("k") is None


async def test_the_mode_memory_keeps_values_in_this_process() -> None:
    async with Cache("of a mode", ttl="1h", sidecar="memory") as cache:
        assert await cache.get_or_set("k", lambda: 5) == 5
        assert await cache.get_or_set("k", lambda: 6) == 5
        assert await cache.delete("k")


# --- loops and forks


async def test_several_loops_have_a_connection_each() -> None:
    """One function serves them all; a loop that ends ends its connection."""
    load = Loads()
    async with cluster("n1") as (node,), caches(node) as (cache,):
        before = len(node.sessions.open)

        def elsewhere() -> Any:
            async def ask() -> Any:
                return await cache.get_or_set("k", lambda: 6)

            return asyncio.run(ask())

        load.go_on.clear()
        here = asyncio.ensure_future(cache.get_or_set("k", load))
        await eventually(lambda: load.keys)
        there = asyncio.ensure_future(asyncio.to_thread(elsewhere))
        await asyncio.sleep(0)
        load.go_on.set()
        assert [await here, await there] == [{"key": "k", "load": 1}] * 2
        assert await asyncio.to_thread(elsewhere) == {"key": "k", "load": 1}
        await eventually(lambda: len(node.sessions.open) == before + 1)


async def test_a_loop_that_ends_under_way_leaves_nobody_waiting() -> None:
    """Others call the function themselves."""
    cache = Cache("users", ttl="1h", sidecar=NOBODY)

    def ends() -> None:
        async def ask() -> None:
            began = asyncio.Event()

            async def load() -> None:
                began.set()
                await asyncio.Event().wait()

            asking = asyncio.ensure_future(cache.get_or_set("k", load))
            await began.wait()
            asking.cancel()

        asyncio.run(ask())

    await asyncio.to_thread(ends)
    assert await cache.get_or_set("k", lambda: 5) == 5
    await cache.close()


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")  # that is the point
async def test_a_forked_process_has_connections_of_its_own() -> None:
    """Whatever was under way in its parent."""
    async with cluster("n1") as (node,), caches(node) as (cache,):
        await cache.set("k", 1)
        cache._flights.join("k")
        threads = BlockingCache("users", ttl="1h", sidecar=str(node.link), budget=GENEROUS)
        assert await asyncio.to_thread(threads.get, "k") == 1

        def child() -> int:
            values = [threads.get("k"), threads.get_or_set("k", lambda: 2)]
            values.append(asyncio.run(cache.get_or_set("k", lambda: 3)))
            return 0 if values == [1, 1, 1] else 1

        pid = os.fork()
        if not pid:
            code = 2
            try:
                asyncio.events._set_running_loop(None)
                code = child()
            finally:
                os._exit(code)
        _, status = await asyncio.to_thread(os.waitpid, pid, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        assert await asyncio.to_thread(threads.get, "k") == 1
        threads.close()
