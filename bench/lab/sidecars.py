"""Sidecars of our own, as a user would start them: `sidegate serve`."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bench.lab.processes import free_port, python, running, until_listening
from bench.results import UnavailableError, VoidError

if TYPE_CHECKING:
    import subprocess
    from collections.abc import AsyncGenerator
    from pathlib import Path


BUDGET: Final = 1.0
"""Seconds: a stall of this machine is to show in the latencies, not as an open answer."""


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


@asynccontextmanager
async def sidecar(
    folder: Path, name: str, link: str | None = None, seed: str | None = None
) -> AsyncGenerator[Sidecar]:
    """Run a sidecar for as long as the block; its ring is itself and what it meets by the seed."""
    path, log = folder / f"{name}.sock", folder / f"{name}.log"
    link, http = link or loopback(), loopback()
    options = {
        "--name": name,
        "--socket": str(path),
        "--link": link,
        "--http": http,
        "--budget": str(BUDGET),
    }
    if seed is not None:
        options["--seed"] = seed
    arguments = [word for option in options.items() for word in option]
    with running(python("sidegate_sidecar", "serve", *arguments), log) as process:
        try:
            await until_listening(process, path, log)
        except UnavailableError as reason:
            raise VoidError(str(reason)) from None  # a peer may be missing, but we may not
        yield Sidecar(name, f"unix:{path}", link, http, process)


def loopback() -> str:
    """Return an address of loopback that is free right now."""
    return f"127.0.0.1:{free_port()}"
