"""Apps as processes that want one value: one of them loads it, and another if that one dies."""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from signal import SIGCONT, SIGSTOP

import pytest

from sidegate import Cache
from sidegate_sidecar.cache.cache_node import place_of
from sidegate_sidecar.lab.waiting import until
from tests.support.in_process.caching import Loads
from tests.support.in_process.cluster import GENEROUS, eventually, eventually_answered
from tests.support.processes.fleet import Fleet, fleet

TASKS = 200


@asynccontextmanager
async def apps(nodes: Fleet, key: str, loads: Path) -> AsyncGenerator[dict[int, Process]]:
    """Run an app beside each node; all are ended in the end."""
    arguments = [sys.executable, "-m", "tests.cluster.caches.caller"]
    running: dict[int, Process] = {}
    try:
        for node in nodes.nodes.values():
            more = [str(node.link), key, str(loads), str(TASKS)]
            app = await asyncio.create_subprocess_exec(*arguments, *more, stdin=PIPE, stdout=PIPE)
            running[app.pid] = app
        yield running
    finally:
        for app in running.values():
            if app.returncode is None:
                app.kill()
            await app.wait()


def loaders(loads: Path) -> list[int]:
    """Return the processes that have loaded, in order."""
    return [int(line) for line in loads.read_text().split()] if loads.exists() else []


def owned_by(nodes: Fleet, name: str) -> str:
    """Return a key whose value a node owns."""
    keys = (f"k{at}" for at in range(10_000))
    return next(key for key in keys if nodes.ring.owner(place_of(("users", key))) == name)


async def waiting(nodes: Fleet, name: str) -> int:
    """Return how many wait at a node for a value."""
    answer = await nodes.http.get(f"{nodes.nodes[name].url}/metrics")
    (line,) = [it for it in answer.text.splitlines() if it.startswith("sidegate_cache_waiting ")]
    return int(float(line.split()[1]))


async def all_wait(nodes: Fleet, name: str, others: int) -> None:
    """Wait until so many wait for who loads."""

    async def they_do() -> bool:
        return await waiting(nodes, name) >= others

    assert await until(they_do, within=GENEROUS, look_every=0.02)


async def go_on(app: Process) -> None:
    """Have a load end."""
    assert app.stdin is not None
    app.stdin.write(b"go\n")
    await app.stdin.drain()


async def said(app: Process) -> list[int]:
    """Return what an app printed: how many values it got, and who loaded them."""
    output, _ = await asyncio.wait_for(app.communicate(), GENEROUS)
    return list(json.loads(output))


async def test_three_processes_of_200_tasks_load_once(tmp_path: Path) -> None:
    """Beside three sidecars."""
    loads = tmp_path / "loads"
    async with fleet("a", "b", "c") as nodes, apps(nodes, owned_by(nodes, "b"), loads) as running:
        await eventually(lambda: loaders(loads))
        await all_wait(nodes, "b", 2)
        (loader,) = loaders(loads)
        await go_on(running[loader])
        assert [await said(app) for app in running.values()] == [[TASKS, loader]] * 3
        assert loaders(loads) == [loader]


@pytest.mark.parametrize("owner", ["a", "b"])
async def test_a_killed_filler_costs_one_load_more(tmp_path: Path, owner: str) -> None:
    """Whoever waits first does it."""
    loads = tmp_path / "loads"
    async with fleet("a", "b", "c") as nodes, apps(nodes, owned_by(nodes, owner), loads) as running:
        await eventually(lambda: loaders(loads))
        await all_wait(nodes, owner, 2)
        (first,) = loaders(loads)
        running.pop(first).kill()
        await eventually(lambda: len(loaders(loads)) == 2)
        second = loaders(loads)[1]
        await go_on(running[second])
        assert [await said(app) for app in running.values()] == [[TASKS, second]] * 2
        assert loaders(loads) == [first, second]


async def test_an_owner_that_stands_still_costs_no_more_than_a_budget() -> None:
    """The function is called, once for all who ask; nobody waits for the lease to end."""
    load = Loads()
    async with fleet("a", "b") as nodes:
        key = owned_by(nodes, "b")
        node = nodes.nodes["a"]
        async with Cache(
            "users", ttl="1h", lease="60s", budget=0.5, sidecar=str(node.link)
        ) as cache:
            assert await cache.set(owned_by(nodes, "a"), 1)  # it is connected
            nodes.nodes["b"].send(SIGSTOP)
            try:
                async with asyncio.timeout(GENEROUS):
                    asked = (cache.get_or_set(key, load) for _ in range(50))
                    assert await asyncio.gather(*asked) == [{"key": key, "load": 1}] * 50
                assert load.keys == [key]
                mine = owned_by(nodes, "a")
                await eventually_answered(lambda: cache.get(mine), lambda got: got == 1)
            finally:
                nodes.nodes["b"].send(SIGCONT)
