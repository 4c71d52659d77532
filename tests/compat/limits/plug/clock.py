"""A clock for tests without a sidecar, and moments to begin at for those with one."""

import asyncio
import time
from typing import Final

import pytest

LONGEST: Final = 360 * 86_400  # seconds: a year of theirs, which all their other units divide
PATIENCE: Final = 10.0  # seconds
SOON: Final = 0.05  # seconds
LEFT: Final = 0.3  # seconds of a window, for who then waits for the next one


class Clock:
    """Begins where a window of each length begins; goes on where a test sleeps, and only there."""

    def __init__(self, late: float) -> None:
        """Begin so many seconds behind the begin of a window."""
        self._yield = asyncio.sleep
        self._now = time.time() // LONGEST * LONGEST + late

    def set_up(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Be the time of a test."""
        monkeypatch.setattr(time, "time", self.time)
        monkeypatch.setattr(time, "sleep", self.sleep)
        monkeypatch.setattr(asyncio, "sleep", self.sleep_async)

    def time(self) -> float:
        """As time.time."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """As time.sleep."""
        self._now += seconds

    async def sleep_async(self, seconds: float) -> None:
        """As asyncio.sleep."""
        self._now += seconds
        await self._yield(0)


def until_window(seconds: int, late: float = 0.0) -> None:
    """Wait until a window of so many seconds has just begun, or has so long behind it."""
    deadline = time.monotonic() + PATIENCE
    while (time.time() - late) % seconds > SOON:
        assert time.monotonic() < deadline
        time.sleep(0.01)
