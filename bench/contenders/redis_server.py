"""A Redis of our own: private unix socket, a TCP port if wanted, nothing written to disk."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.contenders.peers import program
from bench.lab.processes import output_of, running, until_listening
from bench.plan import LIMIT_TOKENS, LIMIT_WINDOW

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

_SCRIPT = Path(__file__).with_name("gcra.lua").read_text()


@dataclass(frozen=True, slots=True)
class RedisServer:
    """A running server that has the GCRA script loaded."""

    socket: Path
    pid: int
    script: str  # its SHA-1

    def evalsha(self, key: str, cost: int = 1) -> list[str]:
        """Return the command that charges a key under the limit of the benchmarks."""
        return ["EVALSHA", self.script, "1", key, *gcra_arguments(LIMIT_TOKENS, cost)]


def gcra_arguments(tokens: int, cost: int) -> list[str]:
    """Return the script's arguments for `tokens` a day: interval, capacity, cost."""
    window = LIMIT_WINDOW * 1_000_000
    return [str(window // tokens), str(window), str(cost)]


@asynccontextmanager
async def redis_server(
    folder: Path, name: str = "redis", port: int = 0
) -> AsyncGenerator[RedisServer]:
    """Run a server for as long as the block, at a port of loopback unless it is 0."""
    path, log = folder / f"{name}.sock", folder / f"{name}.log"
    command = [program("redis-server"), "--bind", "127.0.0.1", "--port", str(port)]
    command += ["--unixsocket", str(path)]
    command += ["--save", "", "--appendonly", "no", "--dir", str(folder)]
    with running(command, log) as process:
        await until_listening(process, path, log)
        loaded = await output_of([program("redis-cli"), "-s", str(path), "SCRIPT", "LOAD", _SCRIPT])
        yield RedisServer(path, process.pid, loaded.strip())
