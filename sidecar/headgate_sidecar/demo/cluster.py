"""The demo's cluster: three sidecars, each with an app beside it, as processes on loopback."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import httpx2

from headgate.client import Client
from headgate.identity import bucket_key
from headgate_ring.hashring import Ring
from headgate_sidecar.demo.processes import Child, end_all, free_ports
from headgate_sidecar.demo.setting import BUDGET, KEY_HEADER, KEYS, NAMES, RULE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

START_WITHIN: Final = 30.0  # seconds; one is usual, on a machine with nothing else to do
LOOK_EVERY: Final = 0.05  # seconds between two looks whether something is ready


class StartError(Exception):
    """A process of the demo did not start; its text ends with what that process said last."""

    def __init__(self, child: Child, how: str) -> None:
        super().__init__(child, how)
        self.child = child
        self.how = how

    def __str__(self) -> str:
        said = self.child.last_words or "(nothing)"
        return f"{self.child.title} (pid {self.child.pid}) {self.how}. Its last words:\n{said}"


class State(StrEnum):
    """What a sidecar is doing."""

    STARTING = "starting"
    UP = "up"
    KILLED = "killed"


@dataclass(slots=True)
class Pair:
    """A sidecar and the app beside it."""

    name: str
    link_port: int
    http_port: int
    app_port: int
    state: State = State.STARTING
    sidecar: Child | None = None
    app: Child | None = None

    @property
    def link(self) -> str:
        """Where the sidecar listens for its app and for the other sidecars."""
        return f"127.0.0.1:{self.link_port}"

    def __str__(self) -> str:
        assert self.sidecar
        assert self.app
        sidecar = f"sidecar {self.name} (pid {self.sidecar.pid})"
        return f"{sidecar}, app {self.name} (pid {self.app.pid}) at {self.url}"

    @property
    def url(self) -> str:
        """Where the app serves."""
        return f"http://127.0.0.1:{self.app_port}/"


class Cluster:
    """Three pairs. All processes end with `end`, or with this one."""

    def __init__(self) -> None:
        ports = iter(free_ports(3 * len(NAMES)))
        self.pairs = {name: Pair(name, next(ports), next(ports), next(ports)) for name in NAMES}
        self._ring = Ring(NAMES)
        self._children: list[Child] = []

    async def start(self) -> None:
        """Start everything; return once all sidecars hold one ring and all apps are limited by it.

        StartError if something doesn't start.
        """
        for pair in self.pairs.values():
            self._start_sidecar(pair)
            self._start_app(pair)
        async with httpx2.AsyncClient(trust_env=False) as client, asyncio.TaskGroup() as waiting:
            for pair in self.pairs.values():
                waiting.create_task(self._sidecar_ready(pair))
                waiting.create_task(self._app_ready(pair, client))

    def owned_by(self, name: str) -> list[str]:
        """Return the API keys whose buckets this sidecar holds."""
        return [key for key in KEYS if self._ring.owner(_bucket(key)) == name]

    def kill(self, name: str) -> None:
        """Kill a sidecar with SIGKILL; it is gone when this returns."""
        pair = self.pairs[name]
        assert pair.sidecar
        pair.sidecar.kill()
        pair.state = State.KILLED

    async def restart(self, name: str) -> None:
        """Start a killed sidecar again, at the same addresses; it is ready when this returns."""
        pair = self.pairs[name]
        self._start_sidecar(pair)
        await self._sidecar_ready(pair)

    def end(self) -> None:
        """End all processes."""
        end_all(self._children)
        self._children.clear()

    # --- starting

    def _start_sidecar(self, pair: Pair) -> None:
        pair.state = State.STARTING
        seeds = (f"--seed={other.link}" for other in self.pairs.values() if other is not pair)
        pair.sidecar = self._start_child(
            f"sidecar {pair.name}",
            "headgate_sidecar",
            "serve",
            f"--name={pair.name}",
            f"--link={pair.link}",
            f"--http=127.0.0.1:{pair.http_port}",
            f"--budget={BUDGET}",
            *seeds,
        )

    def _start_app(self, pair: Pair) -> None:
        module = f"{__package__}.app"
        environment = {"HEADGATE_SIDECAR": pair.link}
        pair.app = self._start_child(
            f"app {pair.name}", module, str(pair.app_port), environment=environment
        )

    def _start_child(
        self, title: str, module: str, *arguments: str, environment: dict[str, str] | None = None
    ) -> Child:
        child = Child(title, module, *arguments, environment=environment)
        self._children = [*(one for one in self._children if one.exit_code is None), child]
        return child

    async def _sidecar_ready(self, pair: Pair) -> None:
        async def knows_all() -> bool:
            return await _accepts(pair.link_port) and await _ring_size(pair.link) == len(NAMES)

        assert pair.sidecar
        await _until(pair.sidecar, knows_all)
        pair.state = State.UP

    async def _app_ready(self, pair: Pair, client: httpx2.AsyncClient) -> None:
        async def limits() -> bool:
            return await _accepts(pair.app_port) and await _is_limited(client, pair.url)

        assert pair.app
        await _until(pair.app, limits)


def _bucket(key: str) -> str:
    """Return the key of an API key's buckets, as the apps' middleware makes it."""
    return bucket_key(RULE, f"{KEY_HEADER}={key}")


async def _until(child: Child, ready: Callable[[], Awaitable[bool]]) -> None:
    deadline = time.monotonic() + START_WITHIN
    while not await ready():
        if child.exit_code is not None:
            raise StartError(child, f"ended with exit code {child.exit_code}")
        if time.monotonic() > deadline:
            raise StartError(child, f"wasn't ready after {START_WITHIN:g} s")
        await asyncio.sleep(LOOK_EVERY)


async def _accepts(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def _ring_size(link: str) -> int:
    """Return how many sidecars the one at this address has met, itself included."""
    async with Client(link, budget=1.0, secret="") as client:
        await client.connect()
        return client.nodes


async def _is_limited(client: httpx2.AsyncClient, url: str) -> bool:
    """Is a request answered, and was it the owner of its key that decided it?"""
    try:
        response = await client.get(url, headers={KEY_HEADER: "nobody"})
    except httpx2.HTTPError:
        return False
    return response.is_success and "headgate-source" not in response.headers
