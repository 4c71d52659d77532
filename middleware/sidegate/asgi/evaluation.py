"""Evaluation in a loop: awaits what the app's functions give, each within its time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

from sidegate.asgi.other_loops import within

if TYPE_CHECKING:
    from collections.abc import Generator

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


async def _awaited(pending: Pending, limiter: RequestLimiter) -> object:
    began, timeout = time.monotonic(), limiter.settings.key_timeout
    try:
        async with within(timeout):
            value = await pending.value
    except TimeoutError:
        if time.monotonic() - began < timeout:
            raise
        raise TimeoutError(f"no answer within {timeout:g} s, the key_timeout") from None
    limiter.key_took(pending.rule, pending.function, time.monotonic() - began)
    return value
