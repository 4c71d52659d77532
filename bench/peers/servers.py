"""Peers that run: each as its documentation starts it, on loopback, for as long as a block."""

from __future__ import annotations

import json
import socket
import urllib.request
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from bench.contenders.redis_server import redis_server
from bench.lab.processes import running, until_started
from bench.peers.build import peer_program
from sidegate_sidecar.lab.processes import free_ports

if TYPE_CHECKING:
    import subprocess
    from collections.abc import AsyncGenerator, Callable, Sequence
    from pathlib import Path

    from bench.peers.asking.messages import Rate

HOST: Final = "127.0.0.1"
UNITS: Final = {1: "second", 60: "minute", 3_600: "hour", 86_400: "day"}
_SHORT: Final = {1: "s", 60: "min", 3_600: "h"}


@dataclass(frozen=True, slots=True)
class Served:
    """A running server of a peer."""

    name: str
    port: int  # of what clients ask
    process: subprocess.Popen[bytes]
    gossip: str = ""  # where another node meets it
    stats: str = ""  # a URL that tells of the cluster
    counted_as: str = ""  # the field of that which counts nodes
    host: str = HOST

    @property
    def pid(self) -> int:
        """Return the id of its process."""
        return self.process.pid

    @property
    def is_alive(self) -> bool:
        """Whether its process runs."""
        return self.process.poll() is None

    @property
    def address(self) -> str:
        """Return what a client is given."""
        return f"{self.host}:{self.port}"

    def look(self) -> dict[str, Any]:
        """Return what it tells of its cluster; empty while it doesn't answer."""
        try:
            with urllib.request.urlopen(self.stats, timeout=1) as answer:  # loopback
                seen: dict[str, Any] = json.load(answer)
                return seen
        except (OSError, ValueError):
            return {}

    async def sees(self, count: int) -> bool:
        """Tell whether it sees so many nodes, itself one of them."""
        return bool(self.look().get(self.counted_as) == count)


@asynccontextmanager
async def gubernator(
    folder: Path, name: str, *seeds: str, keys: int = 50_000
) -> AsyncGenerator[Served]:
    """Run a node that joins those at the seeds, by member-list; alone without any."""
    grpc, http, gossip = free_ports(3)
    host = f"127.2.{gossip >> 8}.{gossip & 255}"  # it tells nodes apart by their IP address alone
    here = f"{host}:{gossip}"
    settings = {
        "GUBER_GRPC_ADDRESS": f"{host}:{grpc}",
        "GUBER_HTTP_ADDRESS": f"{host}:{http}",
        "GUBER_ADVERTISE_ADDRESS": f"{host}:{grpc}",
        "GUBER_INSTANCE_ID": name,
        "GUBER_CACHE_SIZE": str(keys),
        "GUBER_LOG_LEVEL": "error",
        "OTEL_TRACES_EXPORTER": "none",  # there is nobody to export to: a fifth of its CPU
        "OTEL_TRACES_SAMPLER": "always_off",
        "GUBER_PEER_DISCOVERY_TYPE": "member-list",
        "GUBER_MEMBERLIST_NODE_NAME": name,
        "GUBER_MEMBERLIST_ADDRESS": here,
        "GUBER_MEMBERLIST_BIND_ADDRESS": here,
        "GUBER_MEMBERLIST_KNOWN_NODES": ",".join(seeds or [here]),
    }
    command = [*_with(settings), peer_program("gubernator")]
    log = folder / f"gubernator-{name}.log"
    async with _started(command, log, grpc, host) as process:
        stats = f"http://{host}:{http}/v1/HealthCheck"
        node = Served(name, grpc, process, here, stats, "peer_count", host)
        await until_started(process, log, lambda: bool(node.look()))  # it listens before it is one
        yield node


@asynccontextmanager
async def throttlecrab(folder: Path, name: str, port: int = 0) -> AsyncGenerator[Served]:
    """Run a server for RESP, at a free port unless one is given."""
    port = port or free_ports(1)[0]
    command = [peer_program("throttlecrab"), "--redis", "--redis-host", HOST]
    command += ["--redis-port", str(port), "--log-level", "error"]
    async with _started(command, folder / f"throttlecrab-{name}.log", port) as process:
        yield Served(name, port, process)


@asynccontextmanager
async def rateguard(
    folder: Path, name: str, rate: Rate, *seeds: str, keys: int = 16_384
) -> AsyncGenerator[Served]:
    """Run a sidecar whose default class has this limit, and joins those at the seeds."""
    http, gossip = free_ports(2)
    here, limit = f"{HOST}:{gossip}", f"{rate.tokens}/{_SHORT[rate.seconds]}/{rate.tokens}"
    command = [peer_program("rateguard"), "--limit", limit, "--tracked-keys", str(keys)]
    command += ["--bind", here, "--advertise", here, "--listen", f"{HOST}:{http}", "--drain", "1s"]
    if seeds:
        command += ["--seeds", ",".join(seeds)]
    async with _started(command, folder / f"rateguard-{name}.log", http) as process:
        stats = f"http://{HOST}:{http}/v1/stats"
        yield Served(name, http, process, here, stats, "cluster_size")


@asynccontextmanager
async def ratelimit(
    folder: Path, name: str, rate: Rate, redis_port: int, port: int = 0
) -> AsyncGenerator[Served]:
    """Run envoyproxy/ratelimit beside a Redis that is there, at a free port unless one is given."""
    port = port or free_ports(1)[0]
    http, debug = free_ports(2)
    config = folder / f"ratelimit-{name}" / "ratelimit" / "config"
    config.mkdir(parents=True, exist_ok=True)
    (config / "bench.yaml").write_text(_descriptors(rate))
    settings = {
        "DISABLE_STATS": "true",  # there is no statsd, and without one each call is logged
        "LOG_LEVEL": "error",
        "REDIS_SOCKET_TYPE": "tcp",
        "REDIS_URL": f"{HOST}:{redis_port}",
        "RUNTIME_ROOT": str(config.parent.parent),
        "RUNTIME_SUBDIRECTORY": "ratelimit",
        "RUNTIME_WATCH_ROOT": "false",
        "HOST": HOST,
        "GRPC_HOST": HOST,
        "GRPC_PORT": str(port),
        "PORT": str(http),
        "DEBUG_HOST": HOST,
        "DEBUG_PORT": str(debug),
    }
    command = [*_with(settings), peer_program("ratelimit")]
    async with _started(command, folder / f"ratelimit-{name}.log", port) as process:
        yield Served(name, port, process)


@asynccontextmanager
async def ratelimit_alone(folder: Path, rate: Rate) -> AsyncGenerator[tuple[Served, int]]:
    """Run envoyproxy/ratelimit with a Redis of its own; give that one's process too."""
    (port,) = free_ports(1)
    peer_program("ratelimit")  # before a Redis is started for nothing
    async with AsyncExitStack() as stack:
        redis = await stack.enter_async_context(redis_server(folder, "of-ratelimit", port))
        server = await stack.enter_async_context(ratelimit(folder, "alone", rate, port))
        yield server, redis.pid


def _descriptors(rate: Rate) -> str:
    unit = UNITS[rate.seconds]
    return (
        "domain: bench\ndescriptors:\n  - key: user\n"
        f"    rate_limit: {{unit: {unit}, requests_per_unit: {rate.tokens}}}\n"
    )


def _with(settings: dict[str, str]) -> Sequence[str]:
    """Return the words that give a program this environment besides ours."""
    return ["/usr/bin/env", *(f"{name}={value}" for name, value in settings.items())]


@asynccontextmanager
async def _started(
    command: Sequence[str], log: Path, port: int, host: str = HOST
) -> AsyncGenerator[subprocess.Popen[bytes]]:
    with running(command, log) as process:
        await until_started(process, log, _accepts(host, port))
        yield process


def _accepts(host: str, port: int) -> Callable[[], bool]:
    def accepts() -> bool:
        with socket.socket() as probe:
            probe.settimeout(1.0)
            return probe.connect_ex((host, port)) == 0

    return accepts
