"""Crashes: which nodes were killed while the load test ran, as whoever killed them wrote down.

One JSON object a line: {"time": 1795000000.25, "node": "sidecar-2", "event": "kill"}, with the time
in seconds since 1970, and "kill" or "start" as the event.
"""

from __future__ import annotations

from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

NOTED_WITHIN: Final = 1.0
"""Seconds: how far the time that is noted may be from when the process really ended."""

BACK_WITHIN: Final = 5.0
"""Seconds after a node was started again in which its app may still answer by policy."""

MOST_BYTES: Final = 10_000_000  # of the file: a kill a second for two days
MOST_CRASHES: Final = 1_000  # in a run


class CrashesError(ValueError):
    """A file of crashes that can't be read; the text says which line, and why."""


class Event(msgspec.Struct, frozen=True):
    """One line of the file."""

    time: float
    node: str
    event: Literal["kill", "start"]


class Crash(msgspec.Struct, frozen=True):
    """A kill; `killed` and `started` in seconds from the start of the run, None if never again."""

    node: str
    killed: float
    started: float | None = None

    @property
    def first(self) -> float:
        """The earliest moment at which it may have shown."""
        return self.killed - NOTED_WITHIN

    @property
    def last(self) -> float:
        """The latest moment at which it may show; infinite if the node wasn't started again."""
        return inf if self.started is None else self.started + NOTED_WITHIN + BACK_WITHIN


def read_events(path: str) -> list[Event]:
    """Return what a file holds, nothing if there is no such file.

    A last line without an end is being written now, and left out. CrashesError for other lines
    that aren't events.
    """
    try:
        with Path(path).open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise CrashesError(f"expected a file: {error.strerror}") from None
    if len(content) > MOST_BYTES:
        raise CrashesError(f"expected at most {MOST_BYTES:,} bytes")
    lines = content.split(b"\n")[:-1]
    return [_event(number, line) for number, line in enumerate(lines, 1) if line.strip()]


def _event(number: int, line: bytes) -> Event:
    try:
        return msgspec.json.decode(line, type=Event)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        shown = line[:80].decode(errors="replace")
        raise CrashesError(f"line {number} {shown!r}: {error}") from None


def crashes(events: Iterable[Event], begun: float, elapsed: float) -> list[Crash]:
    """Return the crashes that may show in a run which began at a time since 1970, by their time.

    `elapsed` is how long the run was. A kill before it whose node was never started again is an
    old story, and left out. MOST_CRASHES at most, the latest.
    """
    open_: dict[str, Crash] = {}
    found: list[Crash] = []
    for event in sorted(events, key=lambda event: event.time):
        at = event.time - begun
        if event.event == "kill":
            _close(open_.pop(event.node, None), None, found)
            open_[event.node] = Crash(event.node, at)
        else:
            _close(open_.pop(event.node, None), at, found)
    for crash in open_.values():
        _close(crash, None, found)
    shown = [crash for crash in found if _shows(crash, elapsed)]
    return sorted(shown, key=lambda crash: crash.killed)[-MOST_CRASHES:]


def _shows(crash: Crash, elapsed: float) -> bool:
    if crash.started is None and crash.killed < -NOTED_WITHIN:
        return False
    return crash.last >= 0 and crash.first <= elapsed


def _close(crash: Crash | None, started: float | None, found: list[Crash]) -> None:
    if crash:
        found.append(Crash(crash.node, crash.killed, started))
