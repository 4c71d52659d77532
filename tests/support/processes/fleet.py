"""A fleet: sidecars as processes of their own that come, go and die while apps ask them."""

import asyncio
import os
from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from signal import SIGTERM
from typing import Any, Final, Self

import httpx2

from sidegate_ring.hashring import Ring
from sidegate_sidecar.lab.sidecars import is_whole
from sidegate_sidecar.lab.waiting import until
from tests.support.apps.clients import async_client
from tests.support.in_process.cluster import GENEROUS, admitted, clients, eventually, sources
from tests.support.processes.services import PATIENCE, Sidecar

LOOK_EVERY: Final = 0.02  # seconds between two looks at a process


def repetitions(usual: int) -> int:
    """Return how often a scenario is played: SIDEGATE_REPETITIONS, or as often as usual."""
    return int(os.environ.get("SIDEGATE_REPETITIONS") or usual)


class Fleet:
    """Sidecars of one cluster. `nodes` are those that are meant to run, by name."""

    def __init__(self, **options: Any) -> None:
        self.nodes: dict[str, Sidecar] = {}
        self._known: dict[str, Sidecar] = {}
        self.http = async_client()
        self._options = options

    @asynccontextmanager
    async def running(self, *names: str) -> AsyncGenerator[Self]:
        """Run these nodes; they are whole when this is entered, and all have ended after it."""
        async with self.http:
            try:
                await self.start(*names)
                await self.whole()
                yield self
            finally:
                for node in self._known.values():
                    node.close()

    def make(self, name: str) -> Sidecar:
        """Return a new node. Its ports stay its own while it is dead."""
        return Sidecar(name, **self._options)

    @property
    def ring(self) -> Ring:
        """The ring that all nodes should hold."""
        return Ring([*self.nodes])

    def launch(self, *names: str, seeds: Sequence[str] = ()) -> None:
        """Start nodes side by side: new ones, or those that have ended, at their old ports.

        They know all that are meant to run, or only `seeds`.
        """
        for name in names:
            if name not in self._known:
                self._known[name] = self.make(name)
            self.nodes[name] = self._known[name]
        for name in names:
            node = self.nodes[name]
            node.seeds = [self.nodes[seed] for seed in seeds or self.nodes]
            node.launch()

    async def start(self, *names: str) -> None:
        """Launch nodes; all are ready when this returns."""
        self.launch(*names)
        await asyncio.gather(*map(self.ready, names))

    async def ready(self, name: str) -> None:
        """Wait until a node is ready."""
        await asyncio.to_thread(self.nodes[name].wait)

    async def stop(self, *names: str) -> None:
        """Tell nodes to end, all at once; they have ended with 0 when this returns."""
        leaving = [self.nodes.pop(name) for name in names]
        for node in leaving:
            node.send(SIGTERM)
        for node in leaving:
            await ended(node)
            assert node.exit_code == 0, node.log

    def kill(self, name: str) -> None:
        """Kill a node; it is gone when this returns."""
        self.nodes.pop(name).kill()

    async def look(self, name: str) -> dict[str, Any]:
        """Return the cluster as a node sees it."""
        answer = await self.http.get(f"{self.nodes[name].url}/v1/nodes")
        return dict(answer.raise_for_status().json())

    async def overdue(self) -> int:
        """Return how many joins of those that run were ended by their deadline."""
        return sum([(await self.look(name))["sync"]["joins"]["overdue"] for name in self.nodes])

    async def whole(self, within: float = GENEROUS) -> None:
        """Wait until all that run are members of one ring, and know no other; fail `within`."""
        seen: dict[str, dict[str, Any]] = {}

        async def are_whole() -> bool:
            for name in self.nodes:
                with suppress(httpx2.TransportError):
                    seen[name] = await self.look(name)
            ring = self.ring
            return all(name in seen and is_whole(seen[name], ring) for name in self.nodes)

        so = await until(are_whole, within=within, look_every=LOOK_EVERY)
        assert so, f"not whole within {within:g} s: {seen}"

    def asking(self, **options: Any) -> Any:
        """Make a client for each node that runs; to be entered."""
        return clients(*(str(node.link) for node in self.nodes.values()), **options)

    async def admitted(
        self, keys: Sequence[str], limit: str, times: int, **options: Any
    ) -> dict[str, int]:
        """Ask all nodes in turn about each key; return how often it was allowed, by its owner."""
        async with self.asking(**options) as asking:
            decisions = [
                await asyncio.gather(
                    *(asking[at % len(asking)].check(key, limit) for at in range(times))
                )
                for key in keys
            ]
        assert {source for of_key in decisions for source in sources(of_key)} == {"owner"}
        return {key: admitted(of_key) for key, of_key in zip(keys, decisions, strict=True)}


async def ended(node: Sidecar) -> None:
    """Wait until a process has ended, and take its remains away."""
    await eventually(lambda: node.exit_code is not None, PATIENCE)
    node.kill()


def fleet(
    *names: str, budget: float = GENEROUS, **options: Any
) -> AbstractAsyncContextManager[Fleet]:
    """Run a fleet; it is whole when this is entered."""
    return Fleet(budget=budget, **options).running(*names)
