"""The story: all is well, a sidecar is killed, others stand in, it is back with what was spent."""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_left
from dataclasses import dataclass
from enum import StrEnum
from itertools import cycle
from math import inf, isfinite
from typing import TYPE_CHECKING, Final, Literal

from sidegate.buckets.decision import Source
from sidegate_sidecar.demo.setting import KEY_PREFIX
from sidegate_sidecar.lab.waiting import until
from sidegate_sidecar.loadtest.judge.crashes import CrashEvent
from sidegate_sidecar.loadtest.judge.report import Promise

if TYPE_CHECKING:
    from sidegate_sidecar.demo.cluster import DemoCluster
    from sidegate_sidecar.loadtest.send.record import Record
    from sidegate_sidecar.loadtest.show.display import Display, WatchedRun

SHORTEST: Final = 6.0  # seconds in which all of the story fits
LONGEST: Final = 3_600.0  # seconds; an endless story ends then too: 324,000 requests, 10 MB
VICTIMS: Final = ("b", "c", "a")
BACK_AT_LEAST: Final = 1.0  # seconds of limiting to be seen after the return, on a slow machine
LOOK_EVERY: Final = 0.02  # seconds


class StoryPhase(StrEnum):
    """A part of the story; in an endless one the last two come again and again."""

    STEADY = "all sidecars up"
    DEAD = "one sidecar dead"
    BACK = "all up again"


@dataclass(frozen=True, slots=True)
class StoryTimes:
    """How long the phases are, in seconds; DEAD goes on until the sidecar is really back.

    That limiting is back soon after it is promised: apps dial again every half second, sidecars
    every second.
    """

    steady: float
    dead: float
    back: float
    total: float
    back_within: float = 10.0


ENDLESS: Final = StoryTimes(steady=5.0, dead=3.0, back=6.0, total=inf)


def times_of(seconds: float | None) -> StoryTimes:
    """Return the phases that fill so many seconds, SHORTEST to LONGEST; None is endless."""
    if seconds is None or not isfinite(seconds):
        return ENDLESS
    seconds = min(max(SHORTEST, seconds), LONGEST)
    steady, dead = seconds * 0.4, min(seconds * 0.2, 10.0)
    return StoryTimes(steady, dead, seconds - steady - dead, seconds)


class Story:
    """Kills sidecars and starts them again while requests are sent, and notes what happens."""

    def __init__(
        self, cluster: DemoCluster, run: WatchedRun, times: StoryTimes, shown: Display
    ) -> None:
        self.turns: list[tuple[float, StoryPhase]] = [(0.0, StoryPhase.STEADY)]
        """When each phase began, in seconds from the start of the run."""
        self.events: list[CrashEvent] = []
        self._cluster = cluster
        self._run = run
        self._times = times
        self._shown = shown
        self._slowest: float | None = None  # seconds from a sidecar's return to that of limiting
        self._never_back = ""  # the sidecar after whose return limiting didn't come back

    async def play(self) -> None:
        """Play until the end, if there is one; Failure if the sidecar doesn't start again."""
        for pair in self._cluster.pairs.values():
            self._tell(str(pair))
        await asyncio.sleep(self._times.steady)
        for victim in cycle(VICTIMS):
            await self._kill(victim)
            await self._restart(victim)
            await self._stay_back()
            if isfinite(self._times.total):
                return

    @property
    def promises(self) -> list[Promise]:
        """What the story promises of the limiter, as far as it got."""
        if not self._never_back and self._slowest is None:
            return []
        seen = f"{self._slowest:.1f} s" if not self._never_back else f"not for {self._never_back}"
        text, expected = "limiting is back with a sidecar", f"within {self._times.back_within:g} s"
        return [Promise(not self._never_back, "", text, expected, seen)]

    async def _kill(self, victim: str) -> None:
        self._turn(StoryPhase.DEAD)
        self._note(victim, "kill")
        pid = self._cluster.kill(victim)
        keys = " and ".join(f"{KEY_PREFIX}{key}" for key in self._cluster.owned_by(victim))
        self._tell(f"kill -9 sidecar {victim} (pid {pid}), owner of {keys}")
        self._tell(f"others decide these keys; app {victim} is unlimited, as its policy says")
        await asyncio.sleep(self._times.dead)

    async def _restart(self, victim: str) -> None:
        self._note(victim, "start")
        self._tell(f"start sidecar {victim} again")
        pid = await self._cluster.restart(victim)
        self._note(victim, "ready")
        up = self._run.sender.now
        self._tell(f"sidecar {victim} is up (pid {pid}), and was told what its keys spent")

        async def is_back() -> bool:
            owned = set(self._cluster.owned_by(victim))
            return all(_has_decided(record, owned, up) for record in self._run.records.streams)

        if not await until(is_back, within=self._times.back_within, look_every=LOOK_EVERY):
            self._never_back = f"sidecar {victim}"
            return
        took = self._run.sender.now - up
        self._slowest = max(self._slowest or 0.0, took)
        self._turn(StoryPhase.BACK)
        self._tell(f"app {victim} is limited again, {took:.1f} s later")

    async def _stay_back(self) -> None:
        rest = self._times.back
        if isfinite(self._times.total):
            rest = max(self._times.total - self._run.sender.now, BACK_AT_LEAST)
        await asyncio.sleep(rest)

    def _turn(self, phase: StoryPhase) -> None:
        self.turns.append((self._run.sender.now, phase))

    def _note(self, node: str, event: Literal["kill", "start", "ready"]) -> None:
        self.events.append(CrashEvent(time.time(), node, event))

    def _tell(self, text: str) -> None:
        self._shown.tell(self._run.sender.now, text)


def _has_decided(record: Record, keys: set[int], since: float) -> bool:
    """Has the owner of these keys decided a request by one that was due after a moment?"""
    return any(
        record.keys[number] in keys and record.source(number) is Source.OWNER
        for number in range(bisect_left(record.planned, since), len(record))
    )
