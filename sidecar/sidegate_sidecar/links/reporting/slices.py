"""Slices: work for somebody who asks, a little in each turn of the loop: checks go first."""

from __future__ import annotations

import asyncio
from math import inf
from time import perf_counter
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Generator

    Result = TypeVar("Result")

LEAST: Final = 0.0003  # seconds of a slice, where turns are short
MOST: Final = 0.0005
SHARE: Final = 0.25  # of the time that others took since the last slice


async def in_slices(steps: Generator[None, None, Result], within: float) -> Result | None:
    """Return what these steps lead to; None if time was up before (seconds)."""
    ended = perf_counter()
    until = ended + within
    while True:
        began = perf_counter()
        slice_ends = began + min(max((began - ended) * SHARE, LEAST), MOST)
        while perf_counter() < slice_ends:
            try:
                next(steps)
            except StopIteration as done:
                result: Result = done.value
                return result
        ended = perf_counter()
        if ended > until:
            steps.close()
            return None
        await asyncio.sleep(0)


class SlicedWork:
    """Work that is done piece after piece, however many ask at once.

    Else each would have a slice in every turn of the loop, and checks wait for all of them.
    """

    def __init__(self) -> None:
        self._gate = asyncio.Lock()

    async def done(self, steps: Generator[None, None, Result]) -> Result:
        """Return what these steps lead to, in all the time that they take."""
        async with self._gate:
            result = await in_slices(steps, inf)
        assert result is not None  # there was time
        return result
