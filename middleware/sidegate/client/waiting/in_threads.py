"""Waiting in threads, or in greenlets: each sleeps in a call that gevent's patching can replace."""

from __future__ import annotations

import random
import threading
import time
from math import inf
from typing import TYPE_CHECKING, Final

from sidegate.client.waiting.moves import MOVES
from sidegate.client.waiting.wait_queue import Waiter, WaitQueues

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidegate.buckets.decision import Decision
    from sidegate.buckets.limits import Limits

_LONGEST: Final = 3600.0  # seconds of one sleep: some platforms can't sleep for years


class ThreadWaiting:
    """All who wait for a client in the threads of one process."""

    def __init__(self) -> None:
        self.queues = WaitQueues()
        self._lock = threading.Lock()  # over the queues
        MOVES.watch(self)

    def acquire(
        self,
        check: Callable[[str, Limits, int], Decision],
        question: tuple[str, Limits, int],
        deadline: float,
    ) -> Decision:
        """Return the decision that allows it. WaitTooLong."""
        key, limits, cost = question
        awake = threading.Event()
        waiter = Waiter(cost, deadline, awake.set)
        with self._lock:
            queue = self.queues.join(key, limits, waiter)
        try:
            while True:
                awake.clear()
                with self._lock:
                    until = queue.next_step(waiter, now := time.monotonic())
                    version = queue.version
                if until > now:
                    awake.wait(None if until == inf else min(until - now, _LONGEST))
                    continue
                decision = check(key, limits, cost)
                with self._lock:
                    queue.told(decision, time.monotonic(), random.random(), version)  # noqa: S311  # jitter
                if decision.allowed:
                    return decision
        finally:
            with self._lock:
                self.queues.leave(queue, waiter)

    def forget(self, key: str, *, begins: bool = False) -> None:
        """Have who waits for a key, or for all that begin with it, ask at once: it was changed."""
        with self._lock:
            self.queues.forget(key, begins=begins)

    def time_moved(self) -> None:
        """Called from any thread when a test has moved time."""
        with self._lock:
            self.queues.forget(begins=True)
