"""A queue of those who wait for the same key and limits, served as they came. Pure.

Only the first one asks. A decision tells the debts of the buckets, also when it allows, so the
moment from which the next one can pass is known without a question: each who is served costs one
question, however many wait. Times are seconds of a monotonic clock.
"""

from __future__ import annotations

from collections import OrderedDict
from math import inf
from typing import TYPE_CHECKING, Final

from sidegate.buckets.decision import Decision, Source
from sidegate.buckets.limits import SECOND
from sidegate.errors import WaitTooLong, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sidegate.buckets.limits import Limits

JITTER: Final = 0.05  # of a wait is added at most, so that processes don't ask at the same time
MAX_JITTER: Final = 0.05  # seconds
FIRST_PAUSE: Final = 0.05  # seconds after a denial that tells no wait; each is twice the one before
MAX_PAUSE: Final = 2.0  # seconds: so soon it is seen that a sidecar is back


class Waiter:
    """One who waits; `wake` is called when it may be its turn, by whoever made it so."""

    __slots__ = ("__weakref__", "cost", "deadline", "wake")

    def __init__(self, cost: int, deadline: float, wake: Callable[[], object]) -> None:
        self.cost = cost
        self.deadline = deadline
        self.wake = wake


class WaitQueue:
    """Those who wait, and what is known of their buckets."""

    def __init__(self, key: str, limits: Limits) -> None:
        self.key = key
        self.limits = limits
        self.waiters: OrderedDict[Waiter, None] = OrderedDict()
        self.version = 0  # how often what was known had to be forgotten
        self._debts: Sequence[int] = ()
        self._told_at = 0.0
        self._chance = 0.0
        self._pauses = 0  # in a row
        self._paused_until = -inf

    @property
    def first(self) -> Waiter | None:
        """Whose turn it is."""
        return next(iter(self.waiters), None)

    def next_step(self, waiter: Waiter, now: float) -> float:
        """Return until when it waits, inf if until it is woken; what is over means: ask now.

        WaitTooLong if that is after its deadline, as soon as this is known.
        """
        free_at, deadline = self._free_at(waiter.cost), waiter.deadline
        if free_at > deadline:
            raise self._too_long(free_at - now)
        if waiter is not self.first:
            if now >= deadline:
                raise self._too_long(max(free_at - now, 0.0))
            return deadline
        if self._debts:  # it comes in time, be its loop late
            wait = max(free_at - self._told_at, 0.0)
            return min(free_at + self._chance * min(wait * JITTER, MAX_JITTER), deadline)
        if now >= deadline and self._paused_until > -inf:
            raise self._too_long(max(self._paused_until - now, 0.0))
        return min(self._paused_until, deadline)

    def told(self, decision: Decision, now: float, chance: float, version: int) -> None:
        """Learn from the decision of a check that was made when the queue had this version.

        `chance`, from 0 to 1, is how much of the jitter is added.
        """
        if version != self.version:
            return
        self._debts, self._told_at, self._chance = (), now, chance
        self._paused_until = -inf
        if decision.source is Source.LEASE:  # its debts don't say what is left of the lease
            self._pauses = 0
            return
        if decision.allowed or decision.wait:
            self._debts, self._pauses = decision.debts, 0
            return
        pause = min(FIRST_PAUSE * 2 ** min(self._pauses, 10), MAX_PAUSE)
        self._pauses += 1
        self._paused_until = now + pause * (1 + chance / 2)

    def forget(self) -> None:
        """Forget what is known: buckets or their time were changed."""
        self.version += 1
        self._debts, self._pauses, self._paused_until = (), 0, -inf

    def _free_at(self, cost: int) -> float:
        """Return from when on a check of this cost can pass, -inf if that isn't known."""
        if not self._debts:
            return -inf
        denied = Decision(False, self.limits, cost, self._debts, Source.OWNER)
        return self._told_at + denied.wait / SECOND

    def _too_long(self, wait: float) -> WaitTooLong:
        return WaitTooLong(self.key, self.limits.text, wait)


class WaitQueues:
    """The queues in which somebody stands; an empty one is forgotten."""

    def __init__(self) -> None:
        self.table: dict[tuple[str, str], WaitQueue] = {}

    def join(self, key: str, limits: Limits, waiter: Waiter) -> WaitQueue:
        """Put a waiter at the end of the queue for this key and these limits, and return that."""
        queue = self.table.get((key, limits.text))
        if queue is None:
            queue = self.table[key, limits.text] = WaitQueue(key, limits)
        queue.waiters[waiter] = None
        return queue

    def leave(self, queue: WaitQueue, waiter: Waiter) -> None:
        """Take a waiter out of its queue, wherever it stood, and wake who is first then."""
        was_first = queue.first is waiter
        queue.waiters.pop(waiter, None)
        first = queue.first
        if first is None:
            if self.table.get(question := (queue.key, queue.limits.text)) is queue:
                del self.table[question]
        elif was_first:
            first.wake()

    def forget(self, key: str = "", *, begins: bool = False) -> None:
        """Have the first in the queues for a key ask at once: its buckets were changed.

        Or (`begins`) in those for all keys that begin with it.
        """
        for queue in self.table.values():
            if not (queue.key.startswith(key) if begins else queue.key == key):
                continue
            queue.forget()
            if first := queue.first:
                first.wake()


def deadline_of(timeout: object, now: float) -> float:
    """Return when a timeout is over, inf for None; ValueError if it is no timeout."""
    if timeout is None:
        return inf
    if isinstance(timeout, int | float) and not isinstance(timeout, bool) and timeout >= 0:
        return now + timeout
    raise ValueError(f"timeout={shown(timeout)}: expected seconds, 0 or more, or None")
