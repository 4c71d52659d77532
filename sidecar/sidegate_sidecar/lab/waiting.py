"""Waiting: until something is so, by asking again and again."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


async def until(
    condition: Callable[[], Awaitable[object]], *, within: float, look_every: float
) -> bool:
    """Wait until the condition is true, for so many seconds; is it?

    What it raises ends the wait, as that of a process which has ended should.
    """
    deadline = time.monotonic() + within
    while not await condition():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(look_every)
    return True
