"""Waiting: until something is so, by asking again and again."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")


async def until(condition: Callable[[], Awaitable[T]], *, within: float, look_every: float) -> T:
    """Wait until the condition is true, for so many seconds; return what it was in the end.

    What it raises ends the wait, as that of a process which has ended should.
    """
    deadline = time.monotonic() + within
    while not (answer := await condition()):
        if time.monotonic() > deadline:
            break
        await asyncio.sleep(look_every)
    return answer
