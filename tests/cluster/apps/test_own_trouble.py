"""An app that is busy with itself: its sidecar is asked all the same, nothing is let through."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Coroutine
from signal import SIGCONT, SIGSTOP
from typing import Any, TypeAlias

import pytest

from sidegate.buckets.decision import Decision
from sidegate.client.client import Client
from sidegate.link.health import LinkState
from tests.support.in_process.cluster import admitted, eventually, link_of, sources
from tests.support.processes.beside import process
from tests.support.processes.hogs import hogs
from tests.support.processes.services import Sidecar

Load: TypeAlias = Callable[[Client, str, int], Coroutine[Any, Any, list[Decision]]]

LIMIT = "20/hour"
BLOCKED = 0.2  # seconds: four budgets
WORK = 0.0002  # seconds of CPU in each handler: 0.6 s a turn for 3,000 of them
COUNTS = [50, 200, 500, 3_000]


def burn(seconds: float) -> None:
    """Use the CPU, and keep the loop."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


async def at_once(asking: Client, key: str, count: int) -> list[Decision]:
    """Ask, all in one turn."""
    return await asyncio.gather(*(asking.check(key, LIMIT) for _ in range(count)))


async def then_blocked(asking: Client, key: str, count: int) -> list[Decision]:
    """Ask, and block the loop as soon as the question has left, or waits for a connection."""
    futures = [asking.check(key, LIMIT) for _ in range(count)]
    await asyncio.sleep(0)
    burn(BLOCKED)
    return await asyncio.gather(*futures)


async def in_handlers(asking: Client, key: str, count: int) -> list[Decision]:
    """Ask in as many tasks, each of which works before and after."""

    async def handler() -> Decision:
        burn(WORK)
        decision = await asking.check(key, LIMIT)
        burn(WORK)
        return decision

    return await asyncio.gather(*(handler() for _ in range(count)))


async def among_busy_tasks(asking: Client, key: str, count: int) -> list[Decision]:
    """Ask while another task takes 20 ms of each turn, of which a connection needs several."""

    async def work() -> None:
        while True:
            burn(0.02)
            await asyncio.sleep(0)

    working = asyncio.create_task(work())
    try:
        return await at_once(asking, key, count)
    finally:
        working.cancel()


@pytest.fixture
async def sidecar() -> AsyncGenerator[Sidecar]:
    async with process("n1") as running:
        yield running


async def require_exact(sidecar: Sidecar, load: Load, *, warm: bool) -> None:
    """However many ask: the limit holds exactly, and the owner decides each check."""
    for count in COUNTS:
        async with Client(str(sidecar.link), secret="", remember_denials=False) as asking:
            if warm:
                assert await asking.connect()
            decisions = await load(asking, f"{load.__name__}-{count}", count)
        assert (sources(decisions), admitted(decisions)) == ({"owner": count}, 20)


LOADS = [at_once, then_blocked, in_handlers, among_busy_tasks]


@pytest.mark.parametrize("warm", [False, True], ids=["cold", "warm"])
@pytest.mark.parametrize("load", LOADS)
async def test_a_burst_is_decided_by_the_owner(sidecar: Sidecar, load: Load, warm: bool) -> None:
    """Of a client that has a connection, and of one that has to dial first."""
    await require_exact(sidecar, load, warm=warm)


@pytest.mark.parametrize("load", LOADS)
async def test_a_burst_on_a_machine_without_cpu_to_spare(sidecar: Sidecar, load: Load) -> None:
    with hogs(2):
        await require_exact(sidecar, load, warm=False)


async def test_a_sidecar_that_hangs_costs_one_budget(sidecar: Sidecar) -> None:
    """Then the policy decides at once, until the sidecar speaks again."""
    async with Client(str(sidecar.link), secret="", remember_denials=False) as asking:
        assert await asking.connect()
        clock = asyncio.get_running_loop().time
        sidecar.send(SIGSTOP)
        began = clock()
        assert sources(await at_once(asking, "k", 50)) == {"open": 50}
        first, began = clock() - began, clock()
        assert sources(await at_once(asking, "k", 50)) == {"open": 50}
        assert clock() - began < first / 2
        assert link_of(asking).state is LinkState.SUSPECT
        later = asking.check("k", LIMIT)
        await asyncio.sleep(0)
        assert later.done()
        sidecar.send(SIGCONT)
        await eventually(lambda: link_of(asking).state is LinkState.UP)
        assert sources(await at_once(asking, "k", 50)) == {"owner": 50}


async def test_a_sidecar_that_hangs_is_noticed_by_a_busy_app_too(sidecar: Sidecar) -> None:
    """Nobody waits for it for ever."""
    async with Client(str(sidecar.link), secret="") as asking:
        assert await asking.connect()
        sidecar.send(SIGSTOP)
        assert sources(await among_busy_tasks(asking, "k", 50)) == {"open": 50}
        assert link_of(asking).state is LinkState.SUSPECT
