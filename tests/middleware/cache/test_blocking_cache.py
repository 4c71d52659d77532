"""BlockingCache against real sidecars: the same for threads."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from sidegate import BlockingCache
from sidegate_sidecar.process import Process
from tests.support.in_process.caching import cache_of, key_at
from tests.support.in_process.cluster import GENEROUS, cluster, eventually

OPTIONS: dict[str, Any] = {"ttl": "1h", "budget": GENEROUS, "lease": GENEROUS}


@pytest.fixture
async def pair() -> AsyncGenerator[list[Process]]:
    """Two sidecars."""
    async with cluster("n1", "n2") as nodes:
        yield nodes


def blocking(node: Process, **options: Any) -> BlockingCache:
    """Return a cache that asks a sidecar."""
    return BlockingCache("users", sidecar=str(node.link), **{**OPTIONS, **options})


async def test_one_thread_loads_for_all(pair: list[Process]) -> None:
    """In two processes, as far as their sidecars know."""
    called: list[int] = []
    go_on = threading.Event()

    def load(user: int) -> dict[str, int]:
        called.append(user)
        assert go_on.wait(GENEROUS)
        return {"user": user}

    with blocking(pair[0]) as one, blocking(pair[1]) as other, ThreadPoolExecutor(20) as pool:
        loop = asyncio.get_running_loop()
        asked = [loop.run_in_executor(pool, it.get_or_set, 7, load) for it in (one, other) * 10]
        await eventually(lambda: sum(cache_of(it).owner.fills.waiting for it in pair) == 1)
        go_on.set()
        assert await asyncio.gather(*asked) == [{"user": 7}] * 20
    assert called == [7]


async def in_thread(work: Callable[[], None]) -> None:
    """Run it, in a thread."""
    await asyncio.to_thread(work)


async def test_it_does_all_that_cache_does(pair: list[Process]) -> None:
    """Values, many, large ones, deletions, and decorated functions."""
    called: list[int] = []
    large = b"x" * 1_000_000

    def work() -> None:
        with blocking(pair[0]) as one, blocking(pair[1]) as other:
            for node in pair:
                assert one.set(key_at(node), large)
                assert other.get(key_at(node)) == large
            assert one.set(1, None)
            assert other.get(1, 5) is None
            assert other.get_many([1, 2, *range(5, 400)]) == {1: None}
            assert other.delete(1)
            assert one.get(1, 5) == 5
            assert one.clear()
            assert other.get(key_at(pair[0])) is None

            def square(number: int) -> int:
                called.append(number)
                return number * number

            assert [it(key="{number}")(square)(9) for it in (one, other)] == [81, 81]
            with pytest.raises(ValueError, match="at most 1 MiB"):
                one.set("k", b"x" * (1 << 20))

    await in_thread(work)
    assert called == [9]


async def test_errors_are_those_of_the_function_and_the_next_tries_again(
    pair: list[Process],
) -> None:
    def fail() -> None:
        raise LookupError("no such user")

    def work() -> None:
        with blocking(pair[0]) as one, blocking(pair[1]) as other:
            with pytest.raises(LookupError):
                one.get_or_set(key_at(pair[1]), fail)
            assert other.get_or_set(key_at(pair[1]), lambda: 5) == 5

    await in_thread(work)


async def test_a_stale_value_is_made_anew_by_who_finds_it(pair: list[Process]) -> None:
    """If that fails, it has the stale one."""

    def fail() -> int:
        raise LookupError("no such user")

    def work() -> None:
        with blocking(pair[0], stale="1h") as one:
            one.set("k", 1, ttl="1ms")
            while one._look(["k"])[0].fresh:
                pass
            assert one.get_or_set("k", fail) == 1
            assert one.get_or_set("k", lambda: 2) == 2

    await in_thread(work)


async def test_near_copies_are_forgotten_at_a_word(pair: list[Process]) -> None:
    def work() -> None:
        with blocking(pair[0], near="1h") as one, blocking(pair[1], near="1h") as other:
            one.set("k", 1)
            assert [other.get("k") for _ in range(3)] == [1, 1, 1]
            asked = sum(sum(cache_of(it).owner.counts.answers.values()) for it in pair)
            assert asked == 1
            one.set("k", 2)
            for _ in range(100_000):
                if other.get("k") == 2:
                    break
            else:
                raise AssertionError("it keeps its copy")

    await in_thread(work)


async def test_a_sidecar_that_comes_back_is_asked_again(pair: list[Process]) -> None:
    """Connections that broke while nobody used them are no errors."""

    def fill(one: BlockingCache) -> None:
        assert one.get_or_set("k", lambda: 1) == 1

    with blocking(pair[0]) as one:
        await asyncio.to_thread(fill, one)
        for connection in list(pair[0].sessions.open):
            if connection.peer and connection.peer.role == "app":
                connection.abort()
        await asyncio.to_thread(fill, one)
        assert await asyncio.to_thread(one.get, "k") == 1
