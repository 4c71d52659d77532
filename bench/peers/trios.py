"""The systems that are compared as clusters: three nodes of each peer, and of ours."""

from __future__ import annotations

import os
import signal
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

from bench.contenders.redis_server import redis_server
from bench.lab.fleet import fleet
from bench.lab.sidecars import BUDGET
from bench.peers.asking.batching import calls, lines
from bench.peers.asking.messages import (
    GLOBAL,
    GUBERNATOR,
    RATELIMIT,
    GubernatorCheck,
    PeerError,
    RateguardCheck,
    RatelimitCheck,
    ThrottlecrabCheck,
)
from bench.peers.asking.owners import gubernator_owners
from bench.peers.build import peer_program
from bench.peers.servers import HOST, UNITS, gubernator, rateguard, ratelimit, throttlecrab
from bench.peers.systems import LAST, Kind, Trio
from sidegate import Client, Source
from sidegate_sidecar.lab.processes import free_ports

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path
    from typing import TypeAlias

    from bench.lab.fleet import Fleet
    from bench.peers.asking.messages import Rate
    from bench.peers.servers import Served
    from bench.peers.systems import System

    Opens: TypeAlias = Callable[[Path, Rate], AbstractAsyncContextManager[System]]

SIDEGATE: Final = "sidegate"
_NAMES: Final = ("n1", "n2", "n3")
_UNDECIDED: Final = frozenset({Source.OPEN, Source.CLOSED, Source.LOCAL})


class Sidecars:
    """Three sidecars of ours, with a client of ours at each."""

    def __init__(self, nodes: Fleet, limits: str) -> None:
        self._nodes = nodes
        self._limits = limits
        self._names: list[str] = [*_NAMES]
        self._clients = [self._client(name) for name in _NAMES]

    def _client(self, name: str) -> Client:
        return Client(self._nodes.nodes[name].address, budget=BUDGET)

    async def ask(self, front: int, key: str) -> bool:
        """Return whether a check is allowed; PeerError if a policy decided it."""
        decision = await self._clients[front].check(key, self._limits)
        if decision.source in _UNDECIDED:
            raise PeerError(f"nobody was reached: {decision.source}")
        return decision.allowed

    async def keys_of_last(self, names: list[str]) -> list[str]:
        """Return those keys that the last node owns."""
        ring = self._nodes.ring
        return [key for key in names if ring.owner(key) == self._names[LAST]]

    async def replace(self) -> None:
        """Start a new node for each, then end the old one by SIGTERM."""
        for at, old in enumerate(self._names):
            self._names[at] = new = f"{old}-new"
            await self._nodes.start(new)
            before, self._clients[at] = self._clients[at], self._client(new)
            await self._nodes.stop(old)
            await before.close()

    async def kill_last(self) -> None:
        """Kill the last node."""
        self._nodes.kill(self._names[LAST])

    async def close(self) -> None:
        """Close the clients."""
        for client in self._clients:
            await client.close()


class WithRedis(Trio):
    """Three of envoyproxy/ratelimit at one Redis, which is the one that can lose something."""

    def __init__(self, kind: Kind, folder: Path, port: int) -> None:
        super().__init__(kind)
        self._redis = AsyncExitStack()
        self._folder, self._port = folder, port

    async def open(self) -> None:
        """Start Redis, then the three."""
        await self._start_redis()
        await super().open()

    async def _start_redis(self) -> None:
        server = redis_server(self._folder, "of-three", self._port)
        self._pid = (await self._redis.enter_async_context(server)).pid

    async def kill_last(self) -> None:
        """Kill Redis, and start it again at once."""
        os.kill(self._pid, signal.SIGKILL)
        await self._redis.aclose()
        await self._start_redis()

    async def close(self) -> None:
        """End all."""
        await super().close()
        await self._redis.aclose()


@asynccontextmanager
async def _sidegate(folder: Path, rate: Rate) -> AsyncGenerator[System]:
    async with fleet(folder, *_NAMES) as nodes:
        three = Sidecars(nodes, f"{rate.tokens}/{UNITS[rate.seconds]}")
        try:
            yield three
        finally:
            await three.close()


@asynccontextmanager
async def _opened(three: Trio) -> AsyncGenerator[System]:
    try:
        await three.open()
        yield three
    finally:
        await three.close()


def _gubernator(folder: Path, rate: Rate, behavior: int = 0) -> AbstractAsyncContextManager[System]:
    async def of_last(nodes: Sequence[Served], names: list[str]) -> list[str]:
        owners = await gubernator_owners(nodes[0], rate, names)
        last = nodes[LAST].address
        return [key for key, owner in zip(names, owners, strict=True) if owner == last]

    checks = GubernatorCheck(rate, behavior)
    kind = Kind(
        start=lambda name, _port, seeds: gubernator(folder, name, *seeds),
        connect=lambda node: calls(checks, GUBERNATOR, node.host, node.port),
        meets=True,
        of_last=of_last,
    )
    return _opened(Trio(kind))


def _throttlecrab(folder: Path, rate: Rate) -> AbstractAsyncContextManager[System]:
    checks = ThrottlecrabCheck(rate)
    kind = Kind(
        start=lambda name, port, _seeds: throttlecrab(folder, name, port),
        connect=lambda node: lines(checks, HOST, node.port),
        meets=False,
        by_key=True,
    )
    return _opened(Trio(kind))


def _rateguard(folder: Path, rate: Rate) -> AbstractAsyncContextManager[System]:
    kind = Kind(
        start=lambda name, _port, seeds: rateguard(folder, name, rate, *seeds),
        connect=lambda node: lines(RateguardCheck(node.address), HOST, node.port),
        meets=True,
    )
    return _opened(Trio(kind))


def _ratelimit(folder: Path, rate: Rate) -> AbstractAsyncContextManager[System]:
    peer_program("ratelimit")  # before a Redis is started for nothing
    (redis,) = free_ports(1)
    kind = Kind(
        start=lambda name, port, _seeds: ratelimit(folder, name, rate, redis, port),
        connect=lambda node: calls(RatelimitCheck(), RATELIMIT, HOST, node.port),
        meets=False,
    )
    return _opened(WithRedis(kind, folder, redis))


SYSTEMS: Final[dict[str, Opens]] = {
    SIDEGATE: _sidegate,
    "gubernator": _gubernator,
    "gubernator, GLOBAL": partial(_gubernator, behavior=GLOBAL),
    "rateguard": _rateguard,
    "throttlecrab": _throttlecrab,
    "envoyproxy/ratelimit": _ratelimit,
}
SYSTEM_NOTES: Final = {
    SIDEGATE: "three sidecars, sidegate.Client at each",
    "gubernator": "three nodes by member-list, token bucket, which is a window from the first hit",
    "gubernator, GLOBAL": "the same with its behaviour for keys that many ask for",
    "rateguard": "three sidecars; each may admit the whole burst, as it says itself",
    "throttlecrab": "three servers that don't know each other; the client picks one by the key",
    "envoyproxy/ratelimit": "three servers at one Redis, windows of the clock; what is killed is "
    "Redis, and what is deployed is not",
}
