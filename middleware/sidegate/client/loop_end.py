"""The end of an event loop, for who has something open in it: asyncio tells only its generators."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable


class LoopEnd:
    """Awaits `ends()` when the running loop ends in order, until `forget` is called.

    asyncio.run and its like cancel all tasks first, then they close all asynchronous generators.
    What is opened in between, in a handler of a cancellation, only hears of the latter.
    """

    def __init__(self, ends: Callable[[], Awaitable[None]]) -> None:
        self._ends: Callable[[], Awaitable[None]] | None = ends
        self._generator = self._wait()
        with suppress(StopIteration):
            self._generator.asend(None).send(None)  # up to its yield: now the loop knows it

    async def _wait(self) -> AsyncGenerator[None]:
        try:
            yield
        finally:
            ends, self._ends = self._ends, None
            if ends is not None:
                await ends()

    def forget(self) -> None:
        """Call nothing any more."""
        if self._ends is not None:
            self._ends = None
            with suppress(StopIteration):
                self._generator.aclose().send(None)
