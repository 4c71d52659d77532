"""Events that are recorded in threads: told by a thread that lives while some wait."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from sidegate.client.events.in_loop import PATIENCE
from sidegate.link.blocking.inspection import inquire
from sidegate.link.blocking.line import FAULTS
from sidegate.protocol.messages import Ping, Pong
from sidegate.reports.event_counts import EventCounts, frames

if TYPE_CHECKING:
    from sidegate.link.endpoint import Endpoint
    from sidegate.protocol.report_messages import Events
    from sidegate.reports.event_counts import Recorded

TELL_EVERY: Final = 0.5  # seconds: each time the sidecar is dialled
MAX_PAUSE: Final = 8.0  # seconds between two attempts while the sidecar is away


class ThreadEvents:
    """What waits to be told, under one lock. While the sidecar is away it goes on waiting."""

    def __init__(self, options: Endpoint) -> None:
        self._options = options
        self._lock = threading.Lock()
        self._counts = EventCounts()
        self._is_telling = False  # is there a thread that tells?
        self._ends = threading.Event()

    def record(self, event: Recorded) -> None:
        """Count an event, and have it told soon, by another thread."""
        name, key, value = event
        with self._lock:
            self._counts.add(name, key, 1, value)
            if self._is_telling or self._ends.is_set():
                return
            self._is_telling = True
        try:
            threading.Thread(target=self._run, name="sidegate events", daemon=True).start()
        except RuntimeError:  # the process ends, or has too many: the next one tries again
            with self._lock:
                self._is_telling = False

    def _run(self) -> None:
        """Tell what waits until nothing does."""
        pause = TELL_EVERY
        while not self._ends.wait(pause):
            pause = TELL_EVERY if self._tell() else min(2 * pause, MAX_PAUSE)
            with self._lock:
                if not self._counts:
                    self._is_telling = False
                    return

    def _tell(self) -> bool:
        """Tell what waits, as soon as the sidecar is there; has it read that?

        What was said is never said twice: if the sidecar ends meanwhile it may be lost.
        """
        options = self._options
        try:
            inquire(options, Ping(1), Pong, max(options.budget, PATIENCE), self._taken)
        except FAULTS:
            return False
        return True

    def _taken(self) -> list[Events]:
        with self._lock:
            return frames(self._counts.take())

    def close(self) -> None:
        """Tell what waits, or give up soon; what is recorded later is lost."""
        self._ends.set()
        if self._counts:
            self._tell()
