"""The demo's cluster: three sidecars, each with an app beside it, as processes on loopback."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import httpx2

from sidegate.http.keys import bucket_key
from sidegate_ring.hashring import Ring
from sidegate_sidecar.demo.setting import BUDGET, DRAIN, KEY_HEADER, KEY_PREFIX, KEYS, NAMES, RULE
from sidegate_sidecar.lab.processes import Child, end_all, free_ports
from sidegate_sidecar.lab.sidecars import is_whole, serve
from sidegate_sidecar.lab.waiting import until

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from typing import TypeAlias

    Environment: TypeAlias = Mapping[str, str] | None

START_WITHIN: Final = 60.0  # seconds; two are usual, on a machine with nothing else to do
LOOK_EVERY: Final = 0.05  # seconds between two looks whether something is ready
_LOOPBACK: Final = "127.0.0.1"


@dataclass(slots=True)
class Pair:
    """A sidecar and the app beside it."""

    name: str
    link_port: int
    http_port: int
    app_port: int
    sidecar: Child | None = None
    app: Child | None = None

    @property
    def link(self) -> str:
        """Where the sidecar listens for its app and for the other sidecars."""
        return f"{_LOOPBACK}:{self.link_port}"

    def __str__(self) -> str:
        assert self.sidecar
        assert self.app
        sidecar = f"sidecar {self.name} (pid {self.sidecar.pid})"
        return f"{sidecar}, app {self.name} (pid {self.app.pid}): {self.url}"

    @property
    def url(self) -> str:
        """Where the app serves."""
        return f"http://{_LOOPBACK}:{self.app_port}"


class DemoCluster:
    """Three pairs. All processes end with `end`, or with this one."""

    def __init__(self) -> None:
        ports = iter(free_ports(3 * len(NAMES)))
        self.pairs = {name: Pair(name, next(ports), next(ports), next(ports)) for name in NAMES}
        self._ring = Ring(NAMES)
        self._children: list[Child] = []

    async def start(self) -> None:
        """Start everything; return once all sidecars hold one ring and all apps are limited by it.

        Failure if something doesn't start, with what it said last.
        """
        for pair in self.pairs.values():
            self._start_sidecar(pair)
            self._start_app(pair)
        async with _http() as client:
            pairs = self.pairs.values()
            await asyncio.gather(
                *(self._sidecar_ready(pair, client) for pair in pairs),
                *(self._app_ready(pair, client) for pair in pairs),
            )

    def owned_by(self, name: str) -> list[int]:
        """Return the numbers of the API keys whose buckets this sidecar holds."""
        return [key for key in range(KEYS) if self._ring.owner(_bucket(key)) == name]

    def kill(self, name: str) -> int:
        """Kill a sidecar with SIGKILL and return its process id; it is gone then."""
        sidecar = self.pairs[name].sidecar
        assert sidecar
        sidecar.kill()
        return sidecar.pid

    async def restart(self, name: str) -> int:
        """Start a dead sidecar at the same addresses, return its process id once it is ready.

        Failure if it doesn't start.
        """
        pair = self.pairs[name]
        sidecar = self._start_sidecar(pair)
        async with _http() as client:
            await self._sidecar_ready(pair, client)
        return sidecar.pid

    def end(self) -> None:
        """End all processes."""
        end_all(self._children)
        self._children.clear()

    # --- starting

    def _start_sidecar(self, pair: Pair) -> Child:
        pair.sidecar = self._start_child(
            f"sidecar {pair.name}",
            *serve(
                *(other.link for other in self.pairs.values() if other is not pair),
                name=pair.name,
                link=pair.link,
                http=f"{_LOOPBACK}:{pair.http_port}",
                budget=BUDGET,
                drain=DRAIN,
            ),
        )
        return pair.sidecar

    def _start_app(self, pair: Pair) -> None:
        command = (f"{__package__}.app", str(pair.app_port))
        environment = {"SIDEGATE_SIDECAR": pair.link}
        pair.app = self._start_child(f"app {pair.name}", *command, environment=environment)

    def _start_child(self, title: str, *command: str, environment: Environment = None) -> Child:
        child = Child(title, *command, environment=environment)
        self._children = [*(one for one in self._children if one.exit_code is None), child]
        return child

    async def _sidecar_ready(self, pair: Pair, client: httpx2.AsyncClient) -> None:
        async def knows_all() -> bool:
            answer = await _get(client, f"http://{_LOOPBACK}:{pair.http_port}/v1/nodes")
            return answer is not None and is_whole(answer.json(), self._ring)

        assert pair.sidecar
        await _until(pair.sidecar, knows_all)

    async def _app_ready(self, pair: Pair, client: httpx2.AsyncClient) -> None:
        async def is_limited() -> bool:
            answer = await _get(client, pair.url, key="nobody")
            return answer is not None and "sidegate-source" not in answer.headers  # the owner's

        assert pair.app
        await _until(pair.app, is_limited)


def _bucket(key: int) -> str:
    """Return the key of an API key's buckets, as the apps' middleware makes it."""
    return bucket_key(RULE, f"{KEY_HEADER}={KEY_PREFIX}{key}")


async def _until(child: Child, ready: Callable[[], Awaitable[bool]]) -> None:
    async def is_ready() -> bool:
        if await ready():
            return True
        if child.exit_code is not None:
            raise child.failure(f"ended with exit code {child.exit_code}")
        return False

    if not await until(is_ready, within=START_WITHIN, look_every=LOOK_EVERY):
        raise child.failure(f"wasn't ready after {START_WITHIN:g} s")


def _http() -> httpx2.AsyncClient:
    return httpx2.AsyncClient(trust_env=False)


async def _get(client: httpx2.AsyncClient, url: str, key: str = "") -> httpx2.Response | None:
    """Return the answer to a request by this API key, None if there is no good one yet."""
    try:
        answer = await client.get(url, headers={KEY_HEADER: key})
    except httpx2.HTTPError:
        return None
    return answer if answer.is_success else None
