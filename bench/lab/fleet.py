"""A fleet: sidecars of one cluster that come, leave and die one by one, while others are asked."""

from __future__ import annotations

import time
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import httpx2

from bench.lab.processes import PATIENCE
from bench.lab.sidecars import Sidecar, require, sidecar
from bench.results import VoidError
from sidegate_ring.hashring import Ring
from sidegate_sidecar.lab.sidecars import is_whole

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

LOOK_EVERY: Final = 0.2
"""Seconds between two looks whether a node has joined. A look takes 1.5 ms of this process, which
asks the checks that are timed: with one each 20 ms they were a part of their 99th percentile."""

MAX_DRAIN: Final = 60.0  # seconds for a node to leave, which gives up after 10
_JOINS_WITHIN: Final = 60.0  # seconds: what a node gives itself, with a million keys on their way


class Fleet:
    """The nodes that run, by name."""

    def __init__(self, folder: Path, http: httpx2.AsyncClient) -> None:
        self.nodes: dict[str, Sidecar] = {}
        self._blocks: dict[str, AsyncExitStack] = {}
        self._folder = folder
        self._http = http

    @property
    def ring(self) -> Ring:
        """Return the ring that all nodes should hold."""
        return Ring([*self.nodes])

    async def launch(self, name: str) -> Sidecar:
        """Start a node, whose seeds are the others; it takes checks when this returns."""
        seeds = [node.link for node in self.nodes.values()]
        block = self._blocks[name] = AsyncExitStack()
        started = sidecar(self._folder, name, *seeds)
        node = self.nodes[name] = await block.enter_async_context(started)
        return node

    async def ready(self, name: str) -> None:
        """Wait until a node has joined."""
        node = self.nodes[name]
        await require(
            lambda: node.is_ready(self._http),
            f"{name} is not ready",
            within=_JOINS_WITHIN,
            look_every=LOOK_EVERY,
        )

    async def start(self, name: str) -> Sidecar:
        """Start a node; it has joined when this returns."""
        node = await self.launch(name)
        await self.ready(name)
        return node

    async def leave(self, name: str) -> None:
        """Have a node leave the ring and hand over, or give that up; it goes on as a leaf."""
        url = f"http://{self.nodes[name].http}/v1/leave"
        (await self._http.post(url, timeout=MAX_DRAIN)).raise_for_status()

    async def stop(self, name: str) -> None:
        """Tell a node to end; it has left and ended when this returns."""
        node = self.nodes.pop(name)
        node.process.terminate()
        await require(lambda: _has_ended(node), f"{name} does not end")
        await self._blocks.pop(name).aclose()
        if node.process.returncode:
            raise VoidError(f"{name} ended with {node.process.returncode}")

    def kill(self, name: str) -> int:
        """Kill a node; return when that was, in ns of perf_counter."""
        node = self.nodes.pop(name)
        at = time.perf_counter_ns()
        node.process.kill()
        return at

    async def bury(self, name: str) -> None:
        """Take the remains of a killed node away, before another one gets its name."""
        await self._blocks.pop(name).aclose()

    async def look(self, node: Sidecar) -> dict[str, Any]:
        """Return the cluster as a node sees it."""
        return await node.look(self._http)

    async def whole(self) -> None:
        """Wait until all nodes are members of one ring, and say so of each other."""
        await require(self._are_whole, "the nodes don't form one ring")

    async def _are_whole(self) -> bool:
        return all([is_whole(await self.look(node), self.ring) for node in self.nodes.values()])

    async def close(self) -> None:
        """End all at once: nothing they hold is needed any more."""
        for node in self.nodes.values():
            node.process.kill()
        for block in self._blocks.values():
            await block.aclose()


async def _has_ended(node: Sidecar) -> bool:
    return node.process.poll() is not None


@asynccontextmanager
async def fleet(folder: Path, *names: str) -> AsyncGenerator[Fleet]:
    """Run nodes for as long as the block; they are whole when it begins."""
    async with httpx2.AsyncClient(timeout=PATIENCE, trust_env=False) as http:
        nodes = Fleet(folder, http)
        try:
            for name in names:
                await nodes.start(name)
            await nodes.whole()
            yield nodes
        finally:
            await nodes.close()
