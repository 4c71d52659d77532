"""Quiet: whether the machine had nothing else to do while a run measured it.

Three signs, each told with the figures: how many processes wanted a core before, what the host took
away (steal), and how far a loop that always does the same varied.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles
from typing import Final

_LOOPS: Final = 40  # of some 2 ms, for each look
_TURNS: Final = 60_000
_MAX_LOAD: Final = 0.3  # processes for each core
_MAX_STEAL: Final = 0.01  # of all time
_MAX_SPREAD: Final = 0.15  # of the fastest loop: how much slower the ninth of ten was


@dataclass(slots=True)
class Quiet:
    """What was seen of the machine; `look` when nothing of the run is at work."""

    load: float = field(default_factory=lambda: os.getloadavg()[0] / (os.cpu_count() or 1))
    since: tuple[int, int] = field(default_factory=lambda: steal_ticks(_stat()))
    loops: list[float] = field(default_factory=list[float])

    def look(self) -> None:
        """Run the loop some times, a tenth of a second."""
        self.loops += [_loop() for _ in range(_LOOPS)]

    def figures(self) -> dict[str, float]:
        """Return load before, for each core; the share that was stolen; the spread of the loop."""
        stolen, total = (
            now - then for now, then in zip(steal_ticks(_stat()), self.since, strict=True)
        )
        return {
            "load": self.load,
            "steal": stolen / max(total, 1),
            "spread": spread(self.loops) if self.loops else 0.0,
        }


def verdict(figures: dict[str, float]) -> str:
    """Say in a line whether a machine with these figures was quiet."""
    limits = {"load": _MAX_LOAD, "steal": _MAX_STEAL, "spread": _MAX_SPREAD}
    loud = [name for name, most in limits.items() if figures[name] > most]
    told = (
        f"load before {figures['load']:.2f} for each core, steal {figures['steal']:.1%}, "
        f"a loop that always does the same varied by {figures['spread']:.0%}"
    )
    return f"not quiet ({', '.join(loud)}): {told}" if loud else f"quiet: {told}"


def spread(loops: list[float]) -> float:
    """Return by what share of the fastest loop nine of ten were slower at most."""
    return quantiles(loops, n=10)[8] / min(loops) - 1


def steal_ticks(stat: str) -> tuple[int, int]:
    """Return the ticks that the host took, and all, by the first line of /proc/stat."""
    ticks = [int(figure) for figure in stat.split("\n", 1)[0].split()[1:]]
    return ticks[7], sum(ticks[:8])


def _stat() -> str:
    return Path("/proc/stat").read_text()


def _loop() -> float:
    began, sum_ = time.perf_counter(), 0
    for number in range(_TURNS):
        sum_ += number
    return time.perf_counter() - began
