"""A mesh: as many sidecars of one cluster as wanted, that nobody asks for anything."""

from __future__ import annotations

import asyncio
import socket
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from typing import TYPE_CHECKING, Final

import httpx2

from bench.lab.processes import PATIENCE, python, running
from bench.lab.sidecars import Sidecar, require
from sidegate_ring.hashring import Ring
from sidegate_sidecar.lab.sidecars import serve

if TYPE_CHECKING:
    import subprocess
    from collections.abc import AsyncGenerator
    from pathlib import Path

OWNER: Final = "owner"
LEAF: Final = "leaf"
_SEEDS: Final = 3  # nodes that a name may resolve to
_AT_ONCE: Final = 4  # starting: more would wait for the cores longer than one has patience
_STAGES: Final = {OWNER: "member", LEAF: "leaf"}


class Mesh:
    """The sidecars that run, and the role of each by its name."""

    def __init__(self, folder: Path, http: httpx2.AsyncClient, stack: AsyncExitStack) -> None:
        self.nodes: list[Sidecar] = []
        self.roles: dict[str, str] = {}
        self.http = http
        self._folder = folder
        self._stack = stack
        self._processes: list[subprocess.Popen[bytes]] = []
        self._numbers = count(1)

    async def grow(self, size: int, role: str) -> None:
        """Start nodes of this role until there are `size` in all; they see each other then."""
        if not self.nodes:
            await self._start(role, PATIENCE)
        await self.add(size - len(self.nodes), role)
        await require(self._is_whole, "the nodes don't all see each other")

    async def add(self, count: int, role: str, within: float = PATIENCE) -> None:
        """Start so many more; each has joined, within so many seconds from when it was started."""
        turns = asyncio.Semaphore(_AT_ONCE)

        async def start_in_turn() -> None:
            async with turns:
                await self._start(role, within)

        try:
            async with asyncio.TaskGroup() as starting:
                for _ in range(count):
                    starting.create_task(start_in_turn())
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None

    def begin(self, count: int, role: str) -> None:
        """Start so many at the same time, and wait for none."""
        for _ in range(count):
            self._keep(self._spawn(role), role)

    async def _start(self, role: str, within: float) -> None:
        node = self._spawn(role)
        what = f"{node.name} is not ready"
        await require(lambda: node.is_ready(self.http), what, within=within)
        self._keep(node, role)

    def _keep(self, node: Sidecar, role: str) -> None:
        self.nodes.append(node)
        self.roles[node.name] = role

    def _spawn(self, role: str) -> Sidecar:
        number = next(self._numbers)
        name, link, http = f"m{number}", _address(number), _address(number)
        seeds = [node.link for node in self.nodes[:_SEEDS]]
        command = python(*serve(*seeds, name=name, link=link, http=http, role=role))
        process = self._stack.enter_context(running(command, self._folder / f"{name}.log"))
        self._processes.append(process)
        return Sidecar(name, link, link, http, process)

    async def _is_whole(self) -> bool:
        return all([await self._is_in(node) for node in self.nodes])

    async def _is_in(self, node: Sidecar) -> bool:
        """Is the node where it belongs, and up to all others?"""
        seen = await node.look(self.http)
        ring = Ring([name for name, role in self.roles.items() if role == OWNER])
        right = seen["stage"] == _STAGES[self.roles[node.name]] and seen["ring"] == ring.digest
        up = sum(it["state"] == "up" for it in seen["nodes"])
        is_leaf = self.roles[node.name] == LEAF
        known = 1 + len(ring) if is_leaf else len(self.nodes)  # a leaf knows itself and all owners
        return bool(right) and up == known

    def kill(self, keep: int = 0) -> None:
        """End all but the first at once, also those that haven't joined.

        To leave one by one would take them minutes.
        """
        del self.nodes[keep:]
        kept = {node.pid for node in self.nodes}
        for process in self._processes:
            if process.pid not in kept:
                process.kill()
        self._processes = [it for it in self._processes if it.pid in kept]
        self.roles = {node.name: self.roles[node.name] for node in self.nodes}


def _address(number: int) -> str:
    """Return a free address of loopback that is this node's only.

    With all on 127.0.0.1 the thousands of links among a hundred nodes would take a port, now and
    then, between the moment it was found free and that at which a node listens there.
    """
    host = f"127.1.{number >> 8}.{number & 255}"
    with socket.create_server((host, 0)) as listener:
        return f"{host}:{listener.getsockname()[1]}"


@asynccontextmanager
async def mesh(folder: Path) -> AsyncGenerator[Mesh]:
    """Run the nodes that are started in the block until it ends."""
    async with (
        httpx2.AsyncClient(timeout=PATIENCE, trust_env=False) as http,
        AsyncExitStack() as stack,
    ):
        nodes = Mesh(folder, http, stack)
        try:
            yield nodes
        finally:
            nodes.kill()
