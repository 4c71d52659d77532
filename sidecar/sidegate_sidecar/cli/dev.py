"""A sidecar and an app in one command, for development: both begin and end together."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from sidegate.link.address import Address, parse_address
from sidegate_sidecar.cli.health import require_ready
from sidegate_sidecar.config import DEFAULT_HTTP, DEFAULT_LINK
from sidegate_sidecar.errors import BAD_INPUT, NOT_SERVING, Failure
from sidegate_sidecar.lab.processes import Child, free_ports, is_free
from sidegate_sidecar.lab.sidecars import serve

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from typing import Self

NAME: Final = "dev"
START_WITHIN: Final = 20.0  # seconds for the sidecar; half a one is usual
LOOK_EVERY: Final = 0.1  # seconds between two looks whether one of them has ended
INTERRUPTED_FOR: Final = 3.0  # seconds that an app has to end by a Ctrl-C, before it is told to
END_WITHIN: Final = 10.0  # seconds that an app has to end when it is told to, before it is killed
_SIGNALLED: Final = 128  # and the number of the signal: how shells say that one ended a command


def run_beside(command: Sequence[str]) -> int:
    """Run an app with a sidecar of its own beside it, until one of them ends; return its exit code.

    The app has the terminal, and finds the sidecar by SIDEGATE_SIDECAR. Failure if one of them
    doesn't start, or if it is the sidecar that ends first.
    """
    link, http = _free(DEFAULT_LINK), _free(DEFAULT_HTTP)
    sidecar = Child("the sidecar", *serve(name=NAME, link=link, http=http))
    try:
        _wait_until_ready(sidecar, http)
        with _App(command, link) as app:
            told = f"sidegate dev: a sidecar at {link}, HTTP at {http}; both end with: "
            print(told + " ".join(command), flush=True)  # noqa: T201
            return app.wait(sidecar)
    finally:
        sidecar.end()


def _free(default: str) -> Address:
    """Return the address where commands and apps look by themselves, or another if it is taken."""
    wanted = parse_address(default)
    if is_free(wanted.port):
        return wanted
    (port,) = free_ports(1)
    return Address(wanted.host, port)


def _wait_until_ready(sidecar: Child, http: Address) -> None:
    deadline = time.monotonic() + START_WITHIN
    while True:
        try:
            require_ready(http)
        except Failure as failure:
            if sidecar.exit_code is not None:
                raise sidecar.failure(f"ended with exit code {sidecar.exit_code}") from None
            if time.monotonic() > deadline:
                raise Failure(NOT_SERVING, f"the sidecar isn't ready: {failure}") from None
            time.sleep(LOOK_EVERY)
        else:
            return


class _App:
    """The app's process; it is gone at the end of the block, whatever it ends by."""

    def __init__(self, command: Sequence[str], link: Address) -> None:
        ours = {"SIDEGATE_SECRET", "SIDEGATE_SECRET_FILE"}  # its sidecar has none
        environment = {name: value for name, value in os.environ.items() if name not in ours}
        environment["SIDEGATE_SIDECAR"] = str(link)
        try:
            self._process = subprocess.Popen(command, env=environment)  # noqa: S603  # theirs to say
        except OSError as error:
            why = error.strerror or error
            raise Failure(BAD_INPUT, f"{command[0]!r} can't be run: {why}") from None
        self._end_at = float("inf")

    def wait(self, sidecar: Child) -> int:
        """Wait until it has ended, and return its exit code; Failure if the sidecar ends first."""
        with self._signals():
            while (code := self._poll()) is None:
                if sidecar.exit_code is not None:
                    raise sidecar.failure(f"ended with exit code {sidecar.exit_code}")
                if time.monotonic() > self._end_at:
                    self.end()
        return code if code >= 0 else _SIGNALLED - code

    def _poll(self) -> int | None:
        try:
            return self._process.wait(LOOK_EVERY)
        except subprocess.TimeoutExpired:
            return None

    @contextmanager
    def _signals(self) -> Generator[None]:
        """Pass signals on to the app. A Ctrl-C it gets from the terminal itself, so that waits."""

        def interrupted(_number: int, _frame: object) -> None:
            self._end_at = min(self._end_at, time.monotonic() + INTERRUPTED_FOR)

        def passed_on(number: int, _frame: object) -> None:
            self._process.send_signal(number)

        handlers = {signal.SIGINT: interrupted, signal.SIGTERM: passed_on, signal.SIGHUP: passed_on}
        before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def end(self) -> None:
        """Ask it to end, kill it if it doesn't; it is gone when this returns."""
        if self._process.poll() is None:
            self._process.terminate()
        try:
            self._process.wait(END_WITHIN)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
