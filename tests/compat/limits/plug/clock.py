"""A clock for tests without a sidecar: it goes on by itself, and at once where a test sleeps."""

import asyncio
import time
from typing import Final

import pytest

LONGEST: Final = 360 * 86_400  # seconds: a year of theirs, which all their other units divide
PATIENCE: Final = 10.0  # seconds
SOON: Final = 0.25  # seconds behind an even second: what one test, or some short ones, take


class Clock:
    """Begins where a window of each length begins; sleeping takes no time."""

    def __init__(self) -> None:
        self._real_time = time.time
        self._real_sleep = asyncio.sleep
        now = time.time()
        self._ahead = now // LONGEST * LONGEST - now

    def set_up(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Be the time of a test."""
        monkeypatch.setattr(time, "time", self.time)
        monkeypatch.setattr(time, "sleep", self.sleep)
        monkeypatch.setattr(asyncio, "sleep", self.sleep_async)

    def time(self) -> float:
        """As time.time."""
        return self._real_time() + self._ahead

    def sleep(self, seconds: float) -> None:
        """As time.sleep."""
        self._ahead += seconds

    async def sleep_async(self, seconds: float) -> None:
        """As asyncio.sleep."""
        self._ahead += seconds
        await self._real_sleep(0)


def until_even_second() -> None:
    """Wait until windows of a second, two or (each minute) more have just begun."""
    deadline = time.monotonic() + PATIENCE
    while time.time() % 2 > SOON:
        assert time.monotonic() < deadline
        time.sleep(0.01)
