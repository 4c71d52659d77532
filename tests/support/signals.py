"""A signal that interrupts whatever the main thread is doing."""

import signal
from collections.abc import Generator
from contextlib import contextmanager


class Interrupted(Exception):  # noqa: N818  # named for what happened
    """What the signal raises."""


@contextmanager
def interruptible() -> Generator[None]:
    """Let SIGUSR1 interrupt the main thread."""

    def handle(*_: object) -> None:
        raise Interrupted

    before = signal.signal(signal.SIGUSR1, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGUSR1, before)
