"""One timer of an event loop for many moments."""

from __future__ import annotations

import time
from heapq import heapify, heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    Call: TypeAlias = Callable[[], object]

_FEW = 16  # moments that may be over before the heap is built anew


class Alarm:
    """When something is to be called; `call` is None once it was, or was forgotten."""

    __slots__ = ("call", "number", "when")

    def __init__(self, when: float, number: int, call: Call) -> None:
        self.when = when
        self.number = number
        self.call: Call | None = call

    def __lt__(self, other: Alarm) -> bool:
        return (self.when, self.number) < (other.when, other.number)


class Timer:
    """A heap of moments, of which the earliest has a timer in the loop. Only for the loop's thread.

    What was forgotten holds nothing, and is never more than half of the heap.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.heap: list[Alarm] = []
        self.handle: asyncio.TimerHandle | None = None
        self._loop = loop
        self._numbers = count()
        self._forgotten = 0  # of those in the heap

    def at(self, when: float, call: Call) -> Alarm:
        """Call this at a moment of the monotonic clock, unless it is forgotten before.

        uvloop's own clock has whole milliseconds, and stands still within a turn of the loop.
        """
        alarm = Alarm(when, next(self._numbers), call)
        heappush(self.heap, alarm)
        if self.heap[0] is alarm:
            self._set()
        return alarm

    def forget(self, alarm: Alarm) -> None:
        """Don't call it; nothing happens if it was called."""
        if alarm.call is None:
            return
        alarm.call = None
        self._forgotten += 1
        was_earliest = self.heap[0] is alarm
        if self._forgotten > max(len(self.heap) // 2, _FEW):
            self.heap = [it for it in self.heap if it.call]
            heapify(self.heap)
            self._forgotten = 0
        self._drop_forgotten()
        if was_earliest:
            self._set()

    def _ring(self) -> None:
        self.handle = None
        now = time.monotonic()
        while self.heap and (self.heap[0].when <= now or not self.heap[0].call):
            alarm = heappop(self.heap)
            if (call := alarm.call) is None:
                self._forgotten -= 1
                continue
            alarm.call = None
            call()
        self._set()

    def _drop_forgotten(self) -> None:
        while self.heap and not self.heap[0].call:
            heappop(self.heap)
            self._forgotten -= 1

    def _set(self) -> None:
        if self.handle is not None:
            self.handle.cancel()
            self.handle = None
        if self.heap:
            delay = max(self.heap[0].when - time.monotonic(), 0.0)
            self.handle = self._loop.call_later(delay, self._ring)
