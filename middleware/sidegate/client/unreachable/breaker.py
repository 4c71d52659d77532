"""A breaker: who may go on trying when a sidecar has just failed. No clock in it.

Closed, it lets everybody through. A failure opens it for a while: nobody is let through, so a
sidecar that hangs costs one budget and not one a request. Then one caller at a time may probe;
what the probe finds closes it, or opens it for twice as long.

Threads have nobody who could probe for them, as a link in an event loop does (`link/health.py`);
docs/internals/decisions/0019 has the reasons.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from enum import Enum, auto
from typing import TypeAlias

FIRST_PAUSE = 0.05  # seconds: as long as one default budget, so at most half of the time is lost
LONGEST_PAUSE = 0.5  # seconds: an app is limited again soon after its sidecar is back

Jitter: TypeAlias = Callable[[float, float], float]
"""Returns a number between the two, such as random.uniform: processes shouldn't probe in step."""


class Entry(Enum):
    """What a caller is told."""

    FREE = auto()  # go ahead, as everybody does
    PROBE = auto()  # go ahead, alone
    REFUSED = auto()  # don't


class _State(Enum):
    CLOSED = auto()
    OPEN = auto()
    PROBING = auto()


class Breaker:
    """A breaker for the threads of one process. `now` is in seconds.

    Who was let through says `succeeded`, `failed` or `abandoned` in the end, whatever happens.
    """

    def __init__(self, jitter: Jitter) -> None:
        self._jitter = jitter
        self._lock = threading.Lock()
        self._state = _State.CLOSED
        self._pause = 0.0
        self._until = 0.0

    def enter(self, now: float) -> Entry:
        """Say whether a caller may go ahead."""
        if self._state is _State.CLOSED:  # without the lock: the common case
            return Entry.FREE
        return self._enter(now)

    def _enter(self, now: float) -> Entry:
        with self._lock:
            match self._state:
                case _State.CLOSED:  # by now
                    return Entry.FREE
                case _State.OPEN if now >= self._until:
                    self._state = _State.PROBING
                    return Entry.PROBE
                case _:
                    return Entry.REFUSED

    def succeeded(self) -> None:
        """Let everybody through again."""
        if self._state is not _State.CLOSED:
            with self._lock:
                self._state = _State.CLOSED
                self._pause = 0.0

    def failed(self, entry: Entry, now: float) -> None:
        """Let nobody through for a while, twice as long as the last time."""
        with self._lock:
            if entry is Entry.FREE and self._state is not _State.CLOSED:
                return  # under way when another failed: that is one failure, not two
            self._state = _State.OPEN
            self._pause = min(self._pause * 2 or FIRST_PAUSE, LONGEST_PAUSE)
            self._until = now + self._jitter(self._pause / 2, self._pause)

    def abandoned(self, entry: Entry) -> None:
        """Have another caller probe, if this one was killed over it."""
        if entry is Entry.PROBE:
            with self._lock:
                if self._state is _State.PROBING:
                    self._state = _State.OPEN
