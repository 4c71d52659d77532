"""Chaos: kills one sidecar after the other, as the kernel would, and starts it again.

python chaos.py SERVICE...     in a container of the same compose project, with the Docker socket

The next one is killed only when the last one is ready again, so never an owner and its backup at
once: that is what sidegate promises to survive. What happens becomes lines of
/chaos/crashes.jsonl, for the verdict of the load test. Ends at SIGTERM, or after MAX_KILLS.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from itertools import cycle, islice
from pathlib import Path
from socket import gethostname
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout, UnixConnector

SOCKET = "/var/run/docker.sock"
CRASHES = Path("/chaos/crashes.jsonl")
DOWN = 1.0  # seconds that a sidecar stays away: as long as a pod takes to be restarted in place
BETWEEN = 8.0  # seconds from one that is ready again to the next kill: time without excuses
READY_WITHIN = 30.0  # seconds
MAX_KILLS = 200  # so that a forgotten one ends


class Docker:
    """The engine's API, in whichever version it has, for containers of our own project."""

    def __init__(self, session: ClientSession) -> None:
        self._session = session

    async def containers(self) -> dict[str, str]:
        """Return the id of the container of each service of the project."""
        me = await self._get(f"/containers/{gethostname()}/json", {})
        project = (
            f"com.docker.compose.project={me['Config']['Labels']['com.docker.compose.project']}"
        )
        found = await self._get(
            "/containers/json", {"all": "1", "filters": json.dumps({"label": [project]})}
        )
        return {one["Labels"]["com.docker.compose.service"]: one["Id"] for one in found}

    async def kill(self, container: str) -> None:
        """Send SIGKILL."""
        await self._post(f"/containers/{container}/kill")

    async def start(self, container: str) -> None:
        """Start it again."""
        await self._post(f"/containers/{container}/start")

    async def _get(self, path: str, query: dict[str, str]) -> Any:  # noqa: ANN401  # JSON
        async with self._session.get(f"http://docker{path}", params=query) as answer:
            answer.raise_for_status()
            return await answer.json()

    async def _post(self, path: str) -> None:
        async with self._session.post(f"http://docker{path}") as answer:
            answer.raise_for_status()


async def run(services: list[str]) -> None:
    """Kill and start them in turn."""
    connector = UnixConnector(SOCKET)
    async with ClientSession(connector=connector) as engine, ClientSession() as plain:
        docker = Docker(engine)
        containers = await docker.containers()
        if missing := [name for name in services if name not in containers]:
            sys.exit(
                f"chaos: no container of {', '.join(missing)}; there are {', '.join(containers)}"
            )
        for name in services:
            await ready(plain, name)
        for name in islice(cycle(services), MAX_KILLS):
            await asyncio.sleep(BETWEEN)
            await crash(docker, name, containers[name])
            await ready(plain, name)
            note(name, "ready")


async def crash(docker: Docker, name: str, container: str) -> None:
    """Kill a sidecar and start it again, also when this process is told to stop meanwhile."""
    note(name, "kill")
    try:
        await docker.kill(container)
        await asyncio.sleep(DOWN)
    finally:
        note(name, "start")
        await docker.start(container)


async def ready(session: ClientSession, name: str) -> None:
    """Wait until a sidecar has joined."""
    async with asyncio.timeout(READY_WITHIN):
        while not await is_ready(session, name):  # noqa: ASYNC110  # in another process
            await asyncio.sleep(0.1)


async def is_ready(session: ClientSession, name: str) -> bool:
    """Ask a sidecar once."""
    try:
        url = f"http://{name}:7172/readyz"
        async with session.get(url, timeout=ClientTimeout(total=1)) as answer:
            return answer.status == 200
    except (ClientError, TimeoutError):
        return False


def note(node: str, event: str) -> None:
    """Write down what happened, for people and for the verdict."""
    print(f"chaos: {event} {node}", flush=True)
    line = json.dumps({"time": round(time.time(), 3), "node": node, "event": event})
    with CRASHES.open("a") as file:
        file.write(line + "\n")


async def until_stopped(services: list[str]) -> None:
    """Run until SIGTERM or SIGINT."""
    running = asyncio.ensure_future(run(services))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, running.cancel)
    try:
        await running
    except asyncio.CancelledError:
        print("chaos: over", flush=True)


def main() -> None:
    """Take the names of the services."""
    if not sys.argv[1:]:
        sys.exit("usage: python chaos.py SERVICE...")
    asyncio.run(until_stopped(sys.argv[1:]))


if __name__ == "__main__":
    main()
