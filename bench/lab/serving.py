"""One variant of the web app, running in a process of its own."""

from __future__ import annotations

import socket
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import TYPE_CHECKING

from bench.lab.processes import python, running, until_started

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class App:
    """A running app: `variant` is one of bench.contenders.web.VARIANTS."""

    variant: str
    port: int

    @property
    def denies(self) -> bool:
        """Whether its limit is so small that nearly every request is refused."""
        return self.variant.endswith("denied")

    @property
    def url(self) -> str:
        """Return where it serves."""
        return f"http://127.0.0.1:{self.port}/"

    def status(self) -> int | None:
        """Return the status of one request, or None if nobody answers."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=1)
        try:
            connection.request("GET", "/")
            return connection.getresponse().status
        except OSError:
            return None
        finally:
            connection.close()


@asynccontextmanager
async def serving(folder: Path, variant: str, store: str) -> AsyncGenerator[App]:
    """Serve a variant for as long as the block; `store` is a sidecar or a Redis URI."""
    log = folder / f"{variant}.log"
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        app = App(variant, listener.getsockname()[1])
        descriptor = listener.fileno()
        command = python("bench.contenders.web", variant, str(descriptor), store)
        process = running(command, log, pass_fds=[descriptor])
        with process as started:
            listener.close()  # so that nobody listens once the process has died
            await until_started(started, log, lambda: app.status() is not None)
            yield app
