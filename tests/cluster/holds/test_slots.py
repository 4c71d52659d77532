"""Slots of real processes: apps, their sidecars and owners are killed, and none is leaked."""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import pytest

from sidegate.client.client import Client
from sidegate.errors import NoSlot
from sidegate_sidecar.lab.waiting import until
from tests.support.in_process.cluster import GENEROUS, client, key_of
from tests.support.processes.fleet import Fleet, fleet

HOW = ("loop", "threads")


@asynccontextmanager
async def holders(nodes: Fleet, name: str, keys: Sequence[str]) -> AsyncGenerator[list[Process]]:
    """Run an app for each key, in a loop and in threads, which holds its one slot by a node."""
    apps: list[Process] = []
    try:
        for key, how in zip(keys, HOW, strict=True):
            more = [str(nodes.nodes[name].link), key, "1", how]
            arguments = [sys.executable, "-m", "tests.cluster.holds.holder", *more]
            apps.append(await asyncio.create_subprocess_exec(*arguments, stdin=PIPE, stdout=PIPE))
        for app in apps:
            assert await said(app) in {"owner", "backup"}  # which hears of it where that was slow
        yield apps
    finally:
        for app in apps:
            if app.returncode is None:
                app.kill()
            await app.wait()


def keys_of(nodes: Fleet, name: str) -> list[str]:
    """Return a key that a node owns for each way to hold one."""
    return [key_of(name, nodes.ring, how) for how in HOW]


async def said(app: Process) -> str:
    """Return the next line of an app."""
    assert app.stdout is not None
    line = await asyncio.wait_for(app.stdout.readline(), GENEROUS)
    return line.decode().strip()


async def leave(app: Process) -> None:
    """Have an app leave its block."""
    assert app.stdin is not None
    app.stdin.write(b"\n")
    await app.stdin.drain()
    assert await said(app) == "left"


async def are_taken(asking: Client, keys: Sequence[str]) -> bool:
    """Is the one slot of each key held by another app?"""
    for key in keys:
        with pytest.raises(NoSlot):
            async with asking.slot(key, 1):
                pass
    return True


async def get(asking: Client, keys: Sequence[str]) -> None:
    """Get the one slot of each key, however long that takes."""
    for key in keys:
        async with asking.slot(key, 1, timeout=GENEROUS):
            pass


async def metric(nodes: Fleet, name: str, line: str) -> int:
    """Return a number of a node's metrics."""
    answer = await nodes.http.get(f"{nodes.nodes[name].url}/metrics")
    (found,) = [it for it in answer.text.splitlines() if it.startswith(f"{line} ")]
    return int(float(found.split()[1]))


async def eventually_metric(nodes: Fleet, name: str, line: str, value: int) -> None:
    """Wait until a node's metric has that value."""

    async def has_it() -> bool:
        return await metric(nodes, name, line) == value

    assert await until(has_it, within=GENEROUS, look_every=0.02), await metric(nodes, name, line)


async def test_a_killed_app_holds_nothing() -> None:
    """Its sidecar sees that its link broke, and says so at once."""
    async with fleet("a", "b") as nodes, client(str(nodes.nodes["b"].link)) as other:
        keys = keys_of(nodes, "b")
        async with holders(nodes, "a", keys) as apps:
            assert await are_taken(other, keys)
            for app in apps:
                app.kill()
            await get(other, keys)
        await eventually_metric(nodes, "a", 'sidegate_slots_freed_total{by="disconnected"}', 2)
        assert await metric(nodes, "b", 'sidegate_slots_freed_total{by="silent"}') == 0


async def test_a_killed_sidecar_holds_nothing() -> None:
    """After two seconds in which nobody has said what its apps hold."""
    async with fleet("a", "b") as nodes, client(str(nodes.nodes["b"].link)) as other:
        keys = keys_of(nodes, "b")
        async with holders(nodes, "a", keys):
            assert await are_taken(other, keys)
            nodes.kill("a")
            await get(other, keys)
        assert await metric(nodes, "b", 'sidegate_slots_freed_total{by="silent"}') == 2


async def test_a_new_owner_knows_what_is_held() -> None:
    """Those who hold tell it, as soon as their links to the one before break."""
    async with fleet("a", "b", "c") as nodes, client(str(nodes.nodes["c"].link)) as other:
        keys = keys_of(nodes, "b")
        async with holders(nodes, "a", keys) as apps:
            assert await are_taken(other, keys)
            nodes.kill("b")
            await eventually_metric(nodes, "c", "sidegate_ring_nodes", 2)
            for _ in range(50):
                assert await are_taken(other, keys)
            for app in apps:
                await leave(app)
            await get(other, keys)


async def test_apps_hold_their_slots_by_another_life_of_their_sidecar() -> None:
    """They say so on their next connection."""
    async with fleet("a", "b") as nodes, client(str(nodes.nodes["b"].link)) as other:
        keys = keys_of(nodes, "b")
        async with holders(nodes, "a", keys) as apps:
            nodes.kill("a")
            await nodes.start("a")
            await eventually_metric(nodes, "a", "sidegate_slots_held", 2)
            await eventually_metric(nodes, "a", "sidegate_ring_nodes", 2)
            assert await are_taken(other, keys)
            for app in apps:
                await leave(app)
            await get(other, keys)


async def test_a_deploy_frees_nothing_that_is_held() -> None:
    """The owner leaves in order while a slot is held: at no time does another app get it."""
    async with fleet("a", "b", "c") as nodes, client(str(nodes.nodes["c"].link)) as other:
        keys = keys_of(nodes, "b")
        async with holders(nodes, "a", keys) as apps:
            stopping = asyncio.create_task(nodes.stop("b"))
            while not stopping.done():
                assert await are_taken(other, keys)
            await stopping
            await nodes.start("b")
            for _ in range(50):
                assert await are_taken(other, keys)
            for app in apps:
                await leave(app)
            await get(other, keys)
