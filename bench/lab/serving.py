"""One variant of the web app, running in a process of its own."""

from __future__ import annotations

import socket
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Final

from bench.lab.processes import python, running, until_started

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from pathlib import Path


_THREADS: Final = 8  # of gunicorn's worker


def on_uvicorn(variant: str, descriptor: int, store: str) -> list[str]:
    """Return the command that serves a FastAPI app on a listening socket."""
    return python("bench.contenders.web", variant, str(descriptor), store)


def on_gunicorn(variant: str, descriptor: int, store: str) -> list[str]:
    """Return the command that serves a Flask app on a listening socket, in threads."""
    server = ["--bind", f"fd://{descriptor}", "--threads", str(_THREADS), "--keep-alive", "30"]
    made = f"bench.contenders.flask_web:make({variant!r}, {store!r})"
    return python("gunicorn", *server, "--no-control-socket", made)


@dataclass(frozen=True, slots=True)
class App:
    """A running app: `variant` is one of bench.contenders.web or flask_web."""

    variant: str
    port: int
    pid: int

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
async def serving(
    folder: Path,
    variant: str,
    store: str,
    command: Callable[[str, int, str], list[str]] = on_uvicorn,
) -> AsyncGenerator[App]:
    """Serve a variant for as long as the block; `store` is a sidecar or a Redis URI."""
    log = folder / f"{variant}.log"
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        descriptor = listener.fileno()
        process = running(command(variant, descriptor, store), log, pass_fds=[descriptor])
        with process as started:
            app = App(variant, listener.getsockname()[1], started.pid)
            listener.close()  # so that nobody listens once the process has died
            await until_started(started, log, lambda: app.status() is not None)
            yield app
