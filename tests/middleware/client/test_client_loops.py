"""One client in many event loops: one after the other, in turns, and at the same time."""

import asyncio
import gc
import threading
from collections.abc import Callable, Coroutine, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import uvloop

from sidegate.buckets.decision import Decision
from sidegate.client.client import Client
from sidegate.errors import NoEventLoop, SidegateError
from tests.support.certificates import Authority
from tests.support.in_process.sidecar_double import SidecarDouble
from tests.support.waiting import AMPLE, PATIENCE, in_threads

Run = Callable[[Coroutine[Any, Any, Any]], Any]
NOWHERE = "unix:/nonexistent/sidegate.sock"


@pytest.fixture(params=[asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    """Return what runs a coroutine in a new loop to the loop's end."""
    chosen: Run = request.param
    return chosen


def asking(sidecar: SidecarDouble, **options: Any) -> Client:
    return Client(sidecar.address, budget=AMPLE, secret="", **options)


@pytest.fixture
def tidy(caplog: pytest.LogCaptureFixture) -> Generator[None]:
    """Require that nothing is left open: else asyncio logs it, or pytest fails for a warning."""
    yield
    gc.collect()
    said = [*caplog.get_records("call"), *caplog.get_records("teardown")]
    assert [it.getMessage() for it in said if it.name == "asyncio"] == []


@pytest.fixture
def client(sidecar: SidecarDouble, tidy: None) -> Client:  # noqa: ARG001  # it looks in the end
    return asking(sidecar)


async def check(client: Client, key: str = "k") -> Decision:
    return await client.check(key, "1000/day")


@contextmanager
def loop_in_thread() -> Generator[asyncio.AbstractEventLoop]:
    """Run a loop in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(PATIENCE)
        loop.close()


def in_loop(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Decision]) -> Decision:
    return asyncio.run_coroutine_threadsafe(work, loop).result(PATIENCE)


# One loop after the other


def test_a_client_that_nobody_closes_ends_with_each_loop(
    sidecar: SidecarDouble, client: Client, run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    """No connection, task or memory of a loop is left, and no warning of what wasn't closed."""
    for _ in range(5):
        assert run(check(client)).source == "owner"
        sidecar.wait_for(lambda: not sidecar.connections)
    gc.collect()
    assert (sidecar.accepted, sidecar.errors) == (5, [])
    assert (client._sessions, client.latest) == ({}, None)
    assert caplog.records == []


def test_a_loop_that_ends_while_it_dials_leaves_nothing(
    sidecar: SidecarDouble, client: Client, run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    """However far the dial has come."""

    async def begin(turns: int) -> None:
        client.check("k", "1000/day")
        for _ in range(turns):
            await asyncio.sleep(0)

    for turns in range(20):
        run(begin(turns))
    gc.collect()
    sidecar.wait_for(lambda: not sidecar.connections)
    assert client._sessions == {}
    assert caplog.records == []


@pytest.mark.usefixtures("tidy")
def test_checks_of_a_loop_that_ends_are_answered(sidecar: SidecarDouble) -> None:
    """Who awaits one isn't left waiting, be it in a handler of its own cancellation."""
    answers: list[str] = []

    async def late(client: Client) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            answers.append((await check(client)).source)

    async def leave(client: Client) -> None:
        tasks.append(asyncio.create_task(late(client)))
        await check(client)

    tasks: list[asyncio.Task[None]] = []
    asyncio.run(leave(asking(sidecar)))
    assert len(answers) == 1


def test_a_loop_may_end_without_a_word_to_its_tasks(sidecar: SidecarDouble, client: Client) -> None:
    """When it ends its asynchronous generators, as it should."""
    loop = asyncio.new_event_loop()
    assert loop.run_until_complete(check(client)).source == "owner"
    loop.run_until_complete(loop.shutdown_asyncgens())
    sidecar.wait_for(lambda: not sidecar.connections)
    assert client._sessions == {}
    loop.close()


def test_loops_share_the_buckets_of_the_fallback() -> None:
    """Without a sidecar, `local` limits over all loops, as in tests that have one a request."""
    client = Client(NOWHERE, on_unreachable="local")

    async def limited() -> bool:
        return (await client.check("k", "3/hour")).allowed

    assert [asyncio.run(limited()) for _ in range(5)] == [True] * 3 + [False] * 2


@pytest.mark.usefixtures("tidy")
def test_a_connection_with_tls_ends_with_its_loop_too(tmp_path: Path, run: Run) -> None:
    ours = Authority()
    sidecars, apps = ours.issue(tmp_path / "sidecar", "s"), ours.issue(tmp_path / "app", "a")
    with SidecarDouble("127.0.0.1:0", tls=sidecars) as sidecar:
        client = asking(sidecar, tls=apps)
        for _ in range(3):
            assert run(check(client)).source == "owner"
            sidecar.wait_for(lambda: not sidecar.connections)
    assert client._sessions == {}


# At the same time


def test_loops_of_several_threads_have_a_connection_each(
    sidecar: SidecarDouble, client: Client, run: Run
) -> None:
    """And together they are let through what the limit says."""
    started = threading.Barrier(4)

    async def ask(_: int) -> list[Decision]:
        started.wait(PATIENCE)
        decisions = [await client.check("k", "500/day") for _ in range(50)]
        some = [client.check("k", "500/day") for _ in range(100)]
        decisions += await asyncio.gather(*some)
        started.wait(PATIENCE)
        return decisions

    each: list[list[Decision]] = in_threads(4, lambda number: run(ask(number)))
    decisions = [*chain(*each)]
    assert {decision.source for decision in decisions} <= {"owner", "remembered"}
    assert sum(decision.allowed for decision in decisions) == 500
    assert sidecar.accepted == 4


def test_loops_that_take_turns_in_one_thread_keep_their_connections(
    sidecar: SidecarDouble, client: Client
) -> None:
    loops = [asyncio.new_event_loop() for _ in range(2)]
    for loop in loops * 5:
        assert loop.run_until_complete(check(client)).source == "owner"
    assert sidecar.accepted == 2
    for loop in loops:
        loop.run_until_complete(client.close())
        loop.close()


def test_a_loop_that_stops_in_the_turn_of_a_check_takes_none_of_the_next(client: Client) -> None:
    """The check waits for its loop to go on; those of another loop in the thread don't."""
    first, second = asyncio.new_event_loop(), asyncio.new_event_loop()
    left: list[asyncio.Future[Decision]] = []
    first.call_soon(first.stop)
    first.call_soon(lambda: left.append(client.check("k", "5/day")))
    first.run_forever()
    assert second.run_until_complete(check(client)).source == "owner"
    assert first.run_until_complete(left[0]).source == "owner"
    for loop in (first, second):
        loop.run_until_complete(client.close_here())
        loop.close()


def test_closing_ends_the_connections_of_all_loops(sidecar: SidecarDouble, client: Client) -> None:
    """That of another thread's loop too, which connects again at its next check."""
    with loop_in_thread() as other:
        in_loop(other, check(client))
        asyncio.run(client.close())
        sidecar.wait_for(lambda: not sidecar.connections)
        assert in_loop(other, check(client)).source == "owner"
        asyncio.run_coroutine_threadsafe(client.close(), other).result(PATIENCE)
    assert sidecar.accepted == 2


def test_closing_here_leaves_the_other_loops(sidecar: SidecarDouble, client: Client) -> None:
    async def come_and_go() -> None:
        await check(client)
        await client.close_here()
        await client.close_here()

    with loop_in_thread() as other:
        in_loop(other, check(client))
        asyncio.run(come_and_go())
        sidecar.wait_for(lambda: len(sidecar.connections) == 1)
        assert in_loop(other, check(client)).source == "owner"
        asyncio.run_coroutine_threadsafe(client.close_here(), other).result(PATIENCE)
    assert sidecar.accepted == 2


# No loop


def test_a_check_without_an_event_loop_says_what_to_use() -> None:
    client = Client(NOWHERE)
    with pytest.raises(SidegateError, match="use a BlockingClient") as caught:
        client.check("k", "5/day")
    assert isinstance(caught.value, RuntimeError)
    with ThreadPoolExecutor() as pool, pytest.raises(NoEventLoop):
        pool.submit(partial(client.check, "k", "5/day")).result(PATIENCE)


def test_a_check_in_a_thread_of_a_loop_is_not_of_that_loop(client: Client) -> None:
    """While the loop has a turn open, which takes checks without looking for their loop."""

    async def ask() -> None:
        mine = client.check("k", "5/day")
        with ThreadPoolExecutor() as pool, pytest.raises(NoEventLoop):
            pool.submit(client.check, "k", "5/day").result(PATIENCE)
        assert (await mine).source == "owner"

    asyncio.run(ask())


# Loops that end in disorder: asyncio logs what they leave behind


def test_a_loop_that_was_closed_behind_our_back_is_forgotten() -> None:
    """Without an end to anything nobody tells us: it is noticed when the next loop comes."""
    client = Client(NOWHERE)
    for _ in range(3):
        loop = asyncio.new_event_loop()
        assert loop.run_until_complete(check(client)).source == "open"
        loop.close()
        assert list(client._sessions) == [loop]
    gc.collect()


def test_closing_with_loops_that_are_closed_is_no_error() -> None:
    client = Client(NOWHERE)
    loop = asyncio.new_event_loop()
    loop.run_until_complete(check(client))
    loop.close()
    asyncio.run(client.close())
    assert client._sessions == {}
    gc.collect()
