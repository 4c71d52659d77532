"""A fleet: sidecars as processes of their own that come, go and die while apps ask them."""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager, suppress
from signal import SIGKILL, SIGTERM
from typing import TYPE_CHECKING, Any, Final

import httpx2

from sidegate_ring.hashring import Ring
from tests.support.apps.clients import async_client
from tests.support.in_process.cluster import GENEROUS, clients, eventually, eventually_answered
from tests.support.processes import services

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence


LOOK_EVERY: Final = 0.02  # seconds between two looks at a process


def repetitions(usual: int) -> int:
    """Return how often a scenario is played: SIDEGATE_REPETITIONS, or as often as usual."""
    return int(os.environ.get("SIDEGATE_REPETITIONS") or usual)


class Node(services.Sidecar):
    """A sidecar of a fleet. Its ports stay its own while it is dead."""

    def __init__(self, name: str, budget: float, options: Sequence[str]) -> None:
        super().__init__(name, budget=budget)
        self._options = options

    @property
    def command(self) -> list[str]:
        return [*super().command, *self._options]

    @property
    def exit_code(self) -> int | None:
        """How it ended, minus the number of a signal; None while it runs."""
        assert self.child, "launched before"
        return self.child.exit_code

    @property
    def log(self) -> str:
        """The last lines of its log, complete once it has ended."""
        assert self.child, "launched before"
        return self.child.last_words


class Fleet:
    """Sidecars of one cluster. `nodes` are those that are meant to run, by name."""

    def __init__(self, http: httpx2.AsyncClient, budget: float, options: Sequence[str]) -> None:
        self.nodes: dict[str, Node] = {}
        self._known: dict[str, Node] = {}
        self._http = http
        self._budget = budget
        self._options = options

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
                self._known[name] = Node(name, self._budget, self._options)
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
        node = self.nodes[name]
        await eventually_answered(lambda: self._is_ready(node), bool, services.PATIENCE)

    async def _is_ready(self, node: Node) -> bool:
        assert node.exit_code is None, node.log
        with suppress(httpx2.TransportError):
            return (await self._http.get(f"{node.url}/readyz")).is_success
        return False

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
        node = self.nodes.pop(name)
        node.send(SIGKILL)
        node.kill()  # takes its pipes away too

    async def look(self, name: str) -> dict[str, Any]:
        """Return the cluster as a node sees it."""
        answer = await self._http.get(f"{self.nodes[name].url}/v1/nodes")
        answer.raise_for_status()
        seen: dict[str, Any] = answer.json()
        return seen

    async def overdue(self) -> int:
        """Return how many joins of those that run were ended by their deadline."""
        return sum([(await self.look(name))["sync"]["joins"]["overdue"] for name in self.nodes])

    async def whole(self, within: float = GENEROUS) -> None:
        """Wait until all that run are members of one ring, and know no other; fail `within`."""
        seen: dict[str, dict[str, Any]] = {}
        loop = asyncio.get_running_loop()
        deadline = loop.time() + within
        while True:
            for name in self.nodes:
                with suppress(httpx2.TransportError):
                    seen[name] = await self.look(name)
            if seen and all(self._is_whole(seen.get(name)) for name in self.nodes):
                return
            assert loop.time() < deadline, f"not whole within {within:g} s: {seen}"
            await asyncio.sleep(LOOK_EVERY)

    def _is_whole(self, seen: dict[str, Any] | None) -> bool:
        if seen is None or seen["stage"] != "member" or not seen["agrees"]:
            return False
        living = {it["name"] for it in seen["nodes"] if it["state"] == "up"}
        return seen["ring"] == self.ring.digest and living == self.nodes.keys()

    def asking(self, **options: Any) -> Any:
        """Make a client for each node that runs; to be entered."""
        return clients(*(str(node.link) for node in self.nodes.values()), **options)

    def close(self) -> None:
        """End all, in whatever state they are."""
        for node in self._known.values():
            if node.child:
                node.kill()
            node.close()


async def ended(node: Node) -> None:
    """Wait until a process has ended, and take its remains away."""
    await eventually(lambda: node.exit_code is not None, services.PATIENCE)
    node.kill()


@asynccontextmanager
async def fleet(
    *names: str, budget: float = GENEROUS, options: Sequence[str] = ()
) -> AsyncGenerator[Fleet]:
    """Run a fleet; it is whole when this is entered."""
    async with async_client() as http:
        running_now = Fleet(http, budget, options)
        try:
            await running_now.start(*names)
            await running_now.whole()
            yield running_now
        finally:
            running_now.close()
