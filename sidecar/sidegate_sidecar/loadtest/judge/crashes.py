"""Crashes: which nodes were killed while the load test ran, as whoever killed them wrote down.

One JSON object a line: {"time": 1795000000.25, "node": "sidecar-2", "event": "kill"}, with the time
in seconds since 1970, and as the event "kill" just before the kill, "start" at the start, and
"ready" once the node has joined again.
"""

from __future__ import annotations

from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

CLOCKS_WITHIN: Final = 0.25
"""Seconds: how far the clock of whoever notes the events may be from ours."""

DEAD_WITHIN: Final = 1.0
"""Seconds after the note of a kill in which the process ends: the engine that kills may be busy."""

USED_WITHIN: Final = 1.0
"""Seconds after a node is ready again in which its app may still answer by policy."""

BACK_WITHIN: Final = 5.0
"""The same after its start, if nobody noted when it was ready."""

MAX_BYTES: Final = 10_000_000  # of the file: a kill a second for a day
MAX_CRASHES: Final = 1_000  # in a run


class CrashesError(ValueError):
    """A file of crashes that can't be read; the text says which line, and why."""


class CrashEvent(msgspec.Struct, frozen=True):
    """One line of the file."""

    time: float
    node: str
    event: Literal["kill", "start", "ready"]


class Crash(msgspec.Struct, frozen=True):
    """A kill; times in seconds from the start of the run, None for what was never noted."""

    node: str
    killed: float
    started: float | None = None
    ready: float | None = None

    @property
    def back(self) -> float:
        """When the node was back, as far as that was noted; infinite if it never was."""
        if self.ready is not None:
            return self.ready
        return inf if self.started is None else self.started

    @property
    def first(self) -> float:
        """The earliest moment at which it may have shown."""
        return self.killed - CLOCKS_WITHIN

    @property
    def last(self) -> float:
        """The latest moment at which it may show; infinite if the node never came back."""
        return self.back + CLOCKS_WITHIN + (BACK_WITHIN if self.ready is None else USED_WITHIN)

    def explains(self, started: float, ended: float) -> bool:
        """Tell if it may have shown in a request that was under way then."""
        return started <= self.last and ended >= self.first


def read_events(path: str) -> list[CrashEvent]:
    """Return what a file holds, nothing if there is no such file.

    A last line without an end is being written now, and left out. CrashesError for other lines
    that aren't events.
    """
    try:
        with Path(path).open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise CrashesError(f"expected a file: {error.strerror}") from None
    if len(content) > MAX_BYTES:
        raise CrashesError(f"expected at most {MAX_BYTES:,} bytes")
    lines = content.split(b"\n")[:-1]
    return [_event(number, line) for number, line in enumerate(lines, 1) if line.strip()]


def _event(number: int, line: bytes) -> CrashEvent:
    try:
        return msgspec.json.decode(line, type=CrashEvent)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        shown = line[:80].decode(errors="replace")
        raise CrashesError(f"line {number} {shown!r}: {error}") from None


def crashes(events: Iterable[CrashEvent], begun: float, elapsed: float) -> list[Crash]:
    """Return the crashes that may show in a run which began at a time since 1970, by their time.

    `elapsed` is how long the run was. A kill before it whose node was never started again is an
    old story, and left out. MAX_CRASHES at most, the latest.
    """
    found: list[Crash] = []
    latest: dict[str, int] = {}  # of each node: where in `found`
    for event in sorted(events, key=lambda event: event.time):
        at = event.time - begun
        if event.event == "kill":
            latest[event.node] = len(found)
            found.append(Crash(event.node, at))
        elif event.node in latest:
            number = latest[event.node]
            found[number] = _followed(found[number], event.event, at)
    return [crash for crash in found if _shows(crash, elapsed)][-MAX_CRASHES:]


def _followed(crash: Crash, event: str, at: float) -> Crash:
    """Add to a crash that its node was started or ready; the first of each kind counts."""
    started = at if crash.started is None else crash.started
    ready = at if event == "ready" and crash.ready is None else crash.ready
    return Crash(crash.node, crash.killed, started, ready)


def _shows(crash: Crash, elapsed: float) -> bool:
    if crash.back == inf and crash.killed < -DEAD_WITHIN:
        return False
    return crash.last >= 0 and crash.first <= elapsed
