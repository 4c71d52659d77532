"""Child processes that end with the process that started them, and the ports they listen on."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from itertools import islice
from random import sample
from threading import Thread
from typing import IO, TYPE_CHECKING

from sidegate_sidecar.errors import NOT_SERVING, Failure

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PORTS = range(20_000, 32_768)
"""Below what systems give to outgoing connections, so nothing takes the port of a dead node."""

LAST_WORDS = 20  # lines of output kept a child: a traceback's end
END_WITHIN = 4.0  # seconds to end after SIGTERM; a leash gives 3


class Child:
    """A Python module that runs as a process in a session of its own, on a leash.

    It doesn't see the terminal's Ctrl-C, nor our SIDEGATE_ variables: only those of `environment`.
    """

    def __init__(
        self, title: str, module: str, *arguments: str, environment: Mapping[str, str] | None = None
    ) -> None:
        self.title = title
        self._process = subprocess.Popen(  # noqa: S603  # our own modules, no shell
            # -P: a module in the present folder must not be taken for one of ours
            [sys.executable, "-P", "-m", f"{__package__}.leash", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=_without_ours(os.environ) | dict(environment or {}),
            start_new_session=True,
        )
        self._lines: deque[str] = deque(maxlen=LAST_WORDS)
        assert self._process.stdout  # a pipe
        self._reader = Thread(target=self._read, args=[self._process.stdout], daemon=True)
        self._reader.start()

    def _read(self, output: IO[str]) -> None:
        with output:
            self._lines.extend(line.rstrip() for line in output)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """How it ended, minus the number of the signal that killed it; None while it runs."""
        return self._process.poll()

    @property
    def last_words(self) -> str:
        """The last lines that it printed, complete once it has ended."""
        if self.exit_code is not None:
            self._reader.join(1.0)  # not for ever: a grandchild may hold the pipe
        return "\n".join(self._lines)

    def failure(self, how: str) -> Failure:
        """Return what to tell of a child that did this or didn't do that, with its last words."""
        text = f"{self.title} (pid {self.pid}) {how}. Its last words:\n"
        return Failure(NOT_SERVING, text + (self.last_words or "(nothing)"))

    def send(self, number: signal.Signals) -> None:
        """Send a signal; to a child that has ended it does nothing."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """End it at once, also if it is stopped; it is gone when this returns."""
        self._process.kill()
        self._close()

    def end(self) -> None:
        """Ask it to end, kill it if it doesn't; it is gone when this returns."""
        end_all([self])

    def wait(self, patience: float) -> bool:
        """Wait until it has ended, for so many seconds; has it?"""
        try:
            self._process.wait(max(patience, 0.0))
        except subprocess.TimeoutExpired:
            return False
        return True

    def _close(self) -> None:
        self._process.wait()
        self._reader.join(1.0)
        if self._process.stdin is not None:
            self._process.stdin.close()


def end_all(children: Iterable[Child]) -> None:
    """Ask all to end, then kill those that don't; all are gone when this returns."""
    children = list(children)
    for child in children:
        child.send(signal.SIGTERM)
    deadline = time.monotonic() + END_WITHIN
    for child in children:
        child.wait(deadline - time.monotonic())
        child.kill()


def free_ports(count: int) -> list[int]:
    """Return ports of loopback on which nobody listens."""
    shuffled = sample(PORTS, len(PORTS))
    return list(islice(filter(is_free, shuffled), count))


def is_free(port: int) -> bool:
    """Could a sidecar listen on this port of loopback?"""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _without_ours(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if not name.startswith("SIDEGATE_")}
