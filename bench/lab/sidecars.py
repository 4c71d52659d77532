"""Sidecars of our own, as a user would start them: `sidegate serve`.

On no leash, as those of the demo are: it would be in the figures.
"""

from __future__ import annotations

from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import httpx2

from bench.lab.processes import PATIENCE, python, running, until_listening
from bench.results import UnavailableError, VoidError
from sidegate_sidecar.lab.processes import free_ports
from sidegate_sidecar.lab.sidecars import serve
from sidegate_sidecar.lab.waiting import until

if TYPE_CHECKING:
    import subprocess
    from collections.abc import AsyncGenerator, Awaitable, Callable
    from pathlib import Path


BUDGET: Final = 1.0
"""Seconds: a stall of this machine is to show in the latencies, not as an open answer."""

LOOK_EVERY: Final = 0.02  # seconds between two looks at a node: 2 % of its time


@dataclass(frozen=True, slots=True)
class Sidecar:
    """A running sidecar; `address` is what a client is given, `link` what another node is."""

    name: str
    address: str
    link: str
    http: str
    process: subprocess.Popen[bytes]

    @property
    def pid(self) -> int:
        """Return the id of its process."""
        return self.process.pid

    async def is_ready(self, http: httpx2.AsyncClient) -> bool:
        """Has it joined?"""
        with suppress(httpx2.TransportError):  # apps are let in before HTTP is
            return (await http.get(f"http://{self.http}/readyz")).is_success
        return False

    async def look(self, http: httpx2.AsyncClient) -> dict[str, Any]:
        """Return the cluster as it sees it."""
        answer = await http.get(f"http://{self.http}/v1/nodes")
        seen: dict[str, Any] = answer.raise_for_status().json()
        return seen


@asynccontextmanager
async def sidecar(folder: Path, name: str, *seeds: str, **more: object) -> AsyncGenerator[Sidecar]:
    """Run a sidecar for as long as the block; its ring is itself and what it meets by a seed."""
    path, log = folder / f"{name}.sock", folder / f"{name}.log"
    link, http = (f"127.0.0.1:{port}" for port in free_ports(2))
    options = {"name": name, "socket": path, "link": link, "http": http, "budget": BUDGET, **more}
    with running(python(*serve(*seeds, **options)), log) as process:
        try:
            await until_listening(process, path, log)
        except UnavailableError as reason:
            raise VoidError(str(reason)) from None  # a peer may be missing, but we may not
        yield Sidecar(name, f"unix:{path}", link, http, process)


async def require(
    condition: Callable[[], Awaitable[object]],
    complaint: str,
    *,
    within: float = PATIENCE,
    look_every: float = LOOK_EVERY,
) -> None:
    """Wait until the condition is true; VoidError with the complaint if it never is."""
    if not await until(condition, within=within, look_every=look_every):
        raise VoidError(complaint)
