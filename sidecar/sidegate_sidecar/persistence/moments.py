"""Moments: when a state file was saved, and how much time has passed since.

A clock on the wall may be set, by a person or once the network is there; that of the boot counts
on, also while the machine sleeps, but starts anew at each boot. So within one boot it says exactly
how much time has passed, and after another only the wall can tell.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from msgspec import Struct

from sidegate.buckets.limits import SECOND

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
ASTRAY = 60 * SECOND  # ns by which two clocks may differ before it is said: NTP moves by far less
LONG_AWAY = 3_600 * SECOND  # ns: a machine boots within minutes


class Moment(Struct, array_like=True, frozen=True):
    """A moment on both clocks of a machine; `boot` is empty where nothing names the boot."""

    wall: int  # ns since 1970
    boot: str = ""
    uptime: int = 0  # ns since that boot


def boot_clock() -> tuple[str, int]:
    """Return which boot this is, and for how long (ns) it has been; ("", 0) if it has no name."""
    try:
        return _BOOT_ID.read_text("ascii").strip(), time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    except (OSError, ValueError, AttributeError):  # not Linux
        return "", 0


@dataclass(frozen=True, slots=True)
class Passed:
    """How much time (ns) is taken to have passed, never less than none."""

    time: int
    by_wall: int
    same_boot: bool

    @property
    def doubt(self) -> str:
        """Return what is odd about it, for people; empty if nothing is."""
        astray = self.by_wall - self.time
        if self.same_boot and abs(astray) > ASTRAY:
            way = "forward" if astray > 0 else "back"
            by = f"{abs(astray) // SECOND:,} s"
            return f"the wall clock was set {way} by {by} meanwhile, which counts for nothing"
        if self.by_wall < -ASTRAY and not self.same_boot:
            return (
                f"it was saved {-self.by_wall // SECOND:,} s in the future by the wall clock, so no"
                " time is taken to have passed"
            )
        if self.time > LONG_AWAY and not self.same_boot:
            return "that is by the wall clock alone, since the machine was booted meanwhile"
        return ""


def passed(since: Moment, now: Moment) -> Passed:
    """Return how much time there is between two moments: by the boot's clock if it can tell."""
    by_wall = now.wall - since.wall
    same_boot = bool(now.boot) and now.boot == since.boot and now.uptime >= since.uptime
    return Passed(now.uptime - since.uptime if same_boot else max(by_wall, 0), by_wall, same_boot)
