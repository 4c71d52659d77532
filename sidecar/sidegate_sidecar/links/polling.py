"""Polling: what is looked at every 20 ms, as long as time can make something of it due."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    class Polled(Protocol):
        """What is told the time."""

        @property
        def is_idle(self) -> bool:
            """Would ticks change nothing and say nothing, however late they come?"""
            ...

        def tick(self, now: int, /) -> bool | None:
            """Do what is due; is there more to do at once?"""


TICK_EVERY: Final = 0.02  # seconds


class Polling:
    """Ticks while there may be something due, and rests otherwise. `clock` is in ns.

    Who rests costs nothing: 50 looks a second for nothing took 0.3 % of a core.
    """

    def __init__(self, polled: Polled, clock: Callable[[], int]) -> None:
        self._polled = polled
        self._clock = clock
        self._awake = asyncio.Event()
        self._awake.set()

    @property
    def rests(self) -> bool:
        """Does it wait until it is woken?"""
        return not self._awake.is_set()

    def look(self) -> None:
        """Tick from now on if there is a reason; to be called after whatever can give one."""
        if not self._awake.is_set() and not self._polled.is_idle:
            self._awake.set()

    async def run(self) -> None:
        """Do what is due, for ever."""
        while True:
            more = self._polled.tick(self._clock())
            if self._polled.is_idle:
                self._awake.clear()
                await self._awake.wait()
            else:
                await asyncio.sleep(0 if more else TICK_EVERY)
