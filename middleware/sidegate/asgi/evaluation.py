"""Evaluation in a loop: awaits what the app's functions give, each within its time.

While one of them awaits the body of a request its time stands still: else a client that sends
slowly would have it fail, and get past its limit.
"""

from __future__ import annotations

import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, TypeVar

from sidegate.asgi.other_loops import paused, within

if TYPE_CHECKING:
    from collections.abc import Awaitable, Generator

    from sidegate.http.evaluation import Pending
    from sidegate.http.request_limiter import RequestLimiter

R = TypeVar("R")


async def run(steps: Generator[Pending, object, R], limiter: RequestLimiter) -> R:
    """Go through steps that yield what is to be awaited; return what they return."""
    try:
        pending = next(steps)
        while True:
            try:
                value = await _awaited(pending, limiter)
            except Exception as error:  # noqa: BLE001 - of the app's function, whose steps get it
                pending = steps.throw(error)
            else:
                pending = steps.send(value)
    except StopIteration as end:
        result: R = end.value
        return result


class _Stopwatch:
    """Measures a function of the app, without what its client takes."""

    def __init__(self, timed: object) -> None:
        self._timed = timed
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    async def stopped_for(self, awaitable: Awaitable[R]) -> R:
        stopped = time.monotonic()
        try:
            with paused(self._timed):
                return await awaitable
        finally:
            self._began += time.monotonic() - stopped


_STOPWATCH: ContextVar[_Stopwatch | None] = ContextVar("sidegate.stopwatch", default=None)


async def sent_by_client(awaitable: Awaitable[R]) -> R:
    """Await what a client sends, whose time isn't that of the function that asks for it."""
    stopwatch = _STOPWATCH.get()
    return await (awaitable if stopwatch is None else stopwatch.stopped_for(awaitable))


async def _awaited(pending: Pending, limiter: RequestLimiter) -> object:
    timeout = limiter.settings.key_timeout
    stopwatch = _Stopwatch(None)
    try:
        async with within(timeout) as timed:
            stopwatch = _Stopwatch(timed)
            token = _STOPWATCH.set(stopwatch)
            try:
                value = await pending.value
            finally:
                _STOPWATCH.reset(token)
    except TimeoutError:
        if stopwatch.seconds < timeout:
            raise
        raise TimeoutError(f"no answer within {timeout:g} s, the key_timeout") from None
    limiter.key_took(pending.rule, pending.function, stopwatch.seconds)
    return value
