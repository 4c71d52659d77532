"""Waiting in an event loop: in the callers' own tasks, by one timer for all of them."""

from __future__ import annotations

import random
import time
from contextlib import suppress
from functools import partial
from math import inf
from typing import TYPE_CHECKING

from sidegate.client.waiting.moves import MOVES
from sidegate.client.waiting.timer import Timer
from sidegate.client.waiting.wait_queue import Waiter, WaitQueues

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable

    from sidegate.buckets.decision import Decision
    from sidegate.buckets.limits import Limits


class LoopWaiting:
    """All who wait for a client in one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.queues = WaitQueues()
        self.timer = Timer(loop)
        self._loop = loop
        MOVES.watch(self)

    async def acquire(
        self,
        check: Callable[[str, Limits, int], Awaitable[Decision]],
        question: tuple[str, Limits, int],
        deadline: float,
    ) -> Decision:
        """Return the decision that allows it. WaitTooLong."""
        key, limits, cost = question
        sleeper = Sleeper(self._loop, self.timer)
        waiter = Waiter(cost, deadline, sleeper.wake)
        queue = self.queues.join(key, limits, waiter)
        try:
            while True:
                while (until := queue.next_step(waiter, now := time.monotonic())) > now:
                    await sleeper.sleep(until)
                version = queue.version
                decision = await check(key, limits, cost)
                queue.told(decision, time.monotonic(), random.random(), version)  # noqa: S311  # jitter
                if decision.allowed:
                    return decision
        finally:
            self.queues.leave(queue, waiter)

    def time_moved(self) -> None:
        """Called from any thread when a test has moved time."""
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(partial(self.queues.forget, begins=True))


class Sleeper:
    """A task that sleeps until it is woken, or until a time."""

    __slots__ = ("_future", "_loop", "_timer")

    def __init__(self, loop: asyncio.AbstractEventLoop, timer: Timer) -> None:
        self._loop = loop
        self._timer = timer
        self._future: asyncio.Future[None] | None = None

    async def sleep(self, until: float) -> None:
        """Sleep until a moment, inf: only until it is woken."""
        self._future = future = self._loop.create_future()
        alarm = self._timer.at(until, self.wake) if until < inf else None
        try:
            await future
        finally:
            self._future = None
            if alarm is not None:
                self._timer.forget(alarm)

    def wake(self) -> None:
        """End its sleep, if it sleeps."""
        if self._future is not None and not self._future.done():
            self._future.set_result(None)
