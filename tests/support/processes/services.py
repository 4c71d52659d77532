"""Sidecars and apps as processes, on ports that stay theirs while they are dead."""

import os
import socket
import sys
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import sample
from signal import SIGCONT, Signals
from typing import Any, Final, Self
from urllib.parse import quote

import httpx2
from prometheus_client.parser import text_string_to_metric_families

from sidegate_sidecar.lab.processes import PORTS, Child, end_all
from sidegate_sidecar.lab.sidecars import serve
from sidegate_sidecar.process import Process
from tests.support.apps.clients import client

ROOT: Final = Path(__file__).parents[3]
PATHS: Final = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
PATIENCE: Final = 60.0  # seconds: for what takes two on a machine with nothing else to do
LOOK_EVERY: Final = 0.01  # seconds


def until(condition: Callable[[], object], what: Callable[[], str] = str) -> None:
    """Wait until the condition is true; fail with `what` if it never is."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"not so within {PATIENCE:g} s: {what()}"
        time.sleep(LOOK_EVERY)


class Port:
    """A port of loopback that nobody else gets, and on which our own processes may listen.

    On Linux a bound socket keeps others away, and once it has SO_REUSEADDR a server that has it
    too may listen beside it.
    """

    def __init__(self) -> None:
        self._keeper = socket.socket()
        self.number = next(port for port in sample(PORTS, len(PORTS)) if self._bind(port))
        self._keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if sys.platform != "linux":
            self._keeper.close()

    def _bind(self, port: int) -> bool:
        try:
            self._keeper.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Let others have it."""
        self._keeper.close()

    def __str__(self) -> str:
        return f"127.0.0.1:{self.number}"


class Service:
    """A module that serves HTTP, in a process that may be ended and started again."""

    ready_at = "/healthz"

    def __init__(self, title: str) -> None:
        self.title = title
        self.http = Port()
        self.child: Child | None = None

    @property
    def url(self) -> str:
        """Where it serves HTTP."""
        return f"http://{self.http}"

    @property
    def command(self) -> list[str]:
        """The module and its arguments."""
        raise NotImplementedError

    @property
    def environment(self) -> dict[str, str]:
        """What it finds in the environment besides what is ours."""
        return {"PYTHONPATH": PATHS}

    def launch(self) -> Self:
        """Start the process, and don't wait for it."""
        self.child = Child(self.title, *self.command, environment=self.environment)
        return self

    def wait(self) -> Self:
        """Wait until it serves."""
        until(self.is_ready, self._last_words)
        return self

    def is_ready(self) -> bool:
        """Does it serve? AssertionError if it has ended."""
        assert self.exit_code is None, self._last_words()
        try:
            return self.ask("GET", self.ready_at).is_success
        except httpx2.TransportError:
            return False

    def ask(self, method: str, path: str) -> httpx2.Response:
        """Make a request."""
        with client(self.url) as asking:
            return asking.request(method, path)

    def _last_words(self) -> str:
        return f"{self.title} said:\n{self.log}"

    @property
    def process(self) -> Child:
        """The process, once it was launched."""
        assert self.child, "launched before"
        return self.child

    @property
    def pid(self) -> int:
        """The process id: of the master, if the server forks workers."""
        return self.process.pid

    @property
    def exit_code(self) -> int | None:
        """How it ended, minus the number of a signal; None while it runs."""
        return self.process.exit_code

    @property
    def log(self) -> str:
        """The last lines of what it said, complete once it has ended."""
        return self.process.last_words

    def send(self, number: Signals) -> None:
        """Send a signal."""
        self.process.send(number)

    def kill(self) -> None:
        """End it by SIGKILL; it is gone when this returns."""
        self.process.kill()

    def restart(self) -> None:
        """End it by SIGKILL, and start it again; it serves when this returns."""
        self.kill()
        self.launch().wait()

    def revive(self) -> None:
        """Have it run, if it was stopped or has ended; it serves when this returns."""
        self.send(SIGCONT)
        if self.exit_code is not None:
            self.restart()
        self.wait()

    def close(self) -> None:
        """End it, in whatever state it is, and give the port back."""
        if self.child:
            self.kill()
        self.http.close()


class Sidecar(Service):
    """`sidegate serve`."""

    ready_at = "/readyz"

    def __init__(
        self, name: str, *seeds: "Sidecar | Process", budget: float = 20.0, **options: object
    ) -> None:
        super().__init__(f"sidecar {name}")
        self.name = name
        self.link = Port()
        self.seeds: Sequence[Sidecar | Process] = seeds
        self._options = {"budget": budget, **options}

    @property
    def command(self) -> list[str]:
        seeds = [other.link for other in self.seeds if other is not self]
        places = {"link": self.link, "http": self.http}
        return serve(*seeds, name=self.name, **places, **self._options)

    def listens(self) -> bool:
        """Would an app get through to it?"""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.link.number)) == 0

    def get(self, path: str) -> httpx2.Response:
        """Ask its HTTP API."""
        return self.ask("GET", path).raise_for_status()

    def buckets(self, key: str) -> list[dict[str, Any]]:
        """Return the buckets of a key as its HTTP API shows them."""
        return list(self.get(f"/v1/keys/{quote(key, safe='')}").json()["buckets"])

    def reset(self, key: str) -> None:
        """Make all limits of a key full again."""
        self.ask("DELETE", f"/v1/keys/{quote(key, safe='')}").raise_for_status()

    def metric(self, sample_name: str, **labels: str) -> float:
        """Return the sum of the samples of that name that have these labels, as it tells them."""
        return sum(
            sample.value
            for family in text_string_to_metric_families(self.get("/metrics").text)
            for sample in family.samples
            if sample.name == sample_name and labels.items() <= sample.labels.items()
        )

    def close(self) -> None:
        super().close()
        self.link.close()


class App(Service):
    """An app under test, by the command line of its server.

    `sidecar` is a sidecar, or what stands for one in SIDEGATE_SIDECAR: "memory", "off", an address.
    """

    def __init__(self, title: str, sidecar: Sidecar | str, *command: str) -> None:
        super().__init__(title)
        self._sidecar = sidecar if isinstance(sidecar, str) else str(sidecar.link)
        self._command = command

    @property
    def command(self) -> list[str]:
        return [part.format(port=self.http.number) for part in self._command]

    @property
    def environment(self) -> dict[str, str]:
        return {**super().environment, "SIDEGATE_SIDECAR": self._sidecar}


UVICORN: Final = (
    "uvicorn",
    "--port={port}",
    "--log-level=warning",
    "--timeout-graceful-shutdown=1",
    "--timeout-keep-alive=60",  # else one that gets no CPU for 5 s closes on a request
)
GUNICORN: Final = (
    "gunicorn",
    "--bind=127.0.0.1:{port}",
    "--log-level=warning",
    "--graceful-timeout=1",
    "--keep-alive=60",
    "--no-control-socket",
    "--workers=2",
)
THREADS: Final = (*GUNICORN, "--worker-class=gthread", "--threads=8")
GREENLETS: Final = (*GUNICORN, "--worker-class=gevent")


@contextmanager
def running(*services: Service) -> Generator[None]:
    """Run processes, started side by side; all serve when this is entered."""
    try:
        for service in services:
            service.launch()
        for service in services:
            service.wait()
        yield
    finally:
        end_all(service.child for service in services if service.child)
        for service in services:
            service.close()
