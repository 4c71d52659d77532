"""The story: all is well, a sidecar is killed, others stand in, it is back with what was spent."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import cycle
from math import isfinite
from typing import TYPE_CHECKING, Final

from sidegate_sidecar.demo.play.setting import KEYS
from sidegate_sidecar.demo.play.tally import SlotCounts

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidegate_sidecar.demo.play.cluster import DemoCluster
    from sidegate_sidecar.demo.play.tally import DemoTally

SHORTEST: Final = 6.0  # seconds in which all of the story fits
VICTIMS: Final = ("b", "c", "a")
BACK_WITHIN: Final = 10.0  # seconds: apps dial again every half second, sidecars every second
BACK_AT_LEAST: Final = 1.0  # seconds of limiting to be seen after the return, on a slow machine
LOOK_EVERY: Final = 0.02  # seconds
MAX_EVENTS: Final = 100  # more than a terminal has rows


class StoryPhase(StrEnum):
    """A part of the story; in an endless one the last two come again and again."""

    STEADY = "all sidecars up"
    DEAD = "one sidecar dead"
    BACK = "all up again"


@dataclass(frozen=True, slots=True)
class StoryTimes:
    """How long the phases are, in seconds; DEAD goes on until the sidecar is really back."""

    steady: float
    dead: float
    back: float
    endless: bool = False

    @property
    def total(self) -> float | None:
        """How long the story is, None if it is endless."""
        return None if self.endless else self.steady + self.dead + self.back


ENDLESS: Final = StoryTimes(steady=5.0, dead=3.0, back=6.0, endless=True)


def times_of(seconds: float | None) -> StoryTimes:
    """Return the phases that fill so many seconds, at least SHORTEST; None is endless."""
    if seconds is None or not isfinite(seconds):
        return ENDLESS
    seconds = max(SHORTEST, seconds)
    steady, dead = seconds * 0.4, min(seconds * 0.2, 10.0)
    return StoryTimes(steady, dead, seconds - steady - dead)


@dataclass(slots=True)
class Chapter:
    """What happened in all parts of one phase."""

    seconds: float = 0.0
    counts: SlotCounts = field(default_factory=SlotCounts)


@dataclass(frozen=True, slots=True)
class StoryEvent:
    """Something that happened, in seconds since the start of the traffic."""

    at: float
    text: str


class Story:
    """Plays the phases on a cluster that runs, and notes what happens."""

    def __init__(
        self,
        cluster: DemoCluster,
        tally: DemoTally,
        times: StoryTimes,
        tell: Callable[[StoryEvent], None],
    ) -> None:
        self.cluster = cluster
        self.tally = tally
        self.times = times
        self.phase = StoryPhase.STEADY
        self.chapters = {phase: Chapter() for phase in StoryPhase}
        self.events: deque[StoryEvent] = deque(maxlen=MAX_EVENTS)
        self.steady_most: int | None = None  # allowed by the limit until the first kill
        self.slowest_return: float | None = None  # seconds from a sidecar's to that of limiting
        self.never_back = ""  # the sidecar after whose return limiting didn't come back
        self._tell = tell
        self._turned = tally.start
        self._counted = SlotCounts()
        self._end: float | None = None

    @property
    def now(self) -> float:
        """The present moment, or that of the end."""
        return time.monotonic() if self._end is None else self._end

    @property
    def elapsed(self) -> float:
        """Seconds since the start of the traffic, until the end."""
        return self.now - self.tally.start

    async def play(self) -> None:
        """Play until the end, if there is one; StartError if the sidecar doesn't start again."""
        for pair in self.cluster.pairs.values():
            self._note(str(pair))
        await asyncio.sleep(self.times.steady)
        for victim in cycle(VICTIMS):
            await self._kill(victim)
            await self._restart(victim)
            await self._stay_back()
            if not self.times.endless:
                return

    def close(self) -> None:
        """End the story here, wherever it is, once all that was sent is answered."""
        self._turn(self.phase)
        self._end = time.monotonic()

    async def _kill(self, victim: str) -> None:
        self._turn(StoryPhase.DEAD)
        pid = self.cluster.kill(victim)
        keys = self.cluster.owned_by(victim)
        self.tally.owner_killed(keys)
        self._note(f"kill -9 sidecar {victim} (pid {pid}), owner of {' and '.join(keys)}")
        self._note(f"others decide these keys; app {victim} is unlimited")
        await asyncio.sleep(self.times.dead)
        self._note(f"start sidecar {victim} again")

    async def _restart(self, victim: str) -> None:
        pid = await self.cluster.restart(victim)
        up = time.monotonic()
        self._note(f"sidecar {victim} is up (pid {pid}), and was told what its keys spent")
        while not self._is_back(victim, up):
            if time.monotonic() > up + BACK_WITHIN:
                self.never_back = victim
                return
            await asyncio.sleep(LOOK_EVERY)
        took = time.monotonic() - up
        self.slowest_return = max(self.slowest_return or 0.0, took)
        self._turn(StoryPhase.BACK)
        self._note(f"app {victim} is limited again, {took:.1f} s later")

    def _is_back(self, victim: str, up: float) -> bool:
        """Do owners decide for every app again: for its own all keys, for others those it owns?"""
        owned = self.cluster.owned_by(victim)
        return all(
            self.tally.decided_since(app, KEYS if app == victim else owned, up)
            for app in self.cluster.pairs
        )

    async def _stay_back(self) -> None:
        if self.times.total is None:
            await asyncio.sleep(self.times.back)
        else:
            await asyncio.sleep(max(self.times.total - self.elapsed, BACK_AT_LEAST))

    def _turn(self, phase: StoryPhase) -> None:
        """Close the chapter of the phase that was on, and begin another's."""
        now, counts = time.monotonic(), self.tally.counts
        if self.phase is StoryPhase.STEADY:
            self.steady_most = self.tally.most(now)
        chapter = self.chapters[self.phase]
        chapter.seconds += now - self._turned
        chapter.counts += counts.since(self._counted)
        self._turned, self._counted = now, SlotCounts(counts)
        self.phase = phase

    def _note(self, text: str) -> None:
        event = StoryEvent(self.elapsed, text)
        self.events.append(event)
        self._tell(event)
