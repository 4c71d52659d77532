"""What one event loop says of its slots, over a link that a test holds."""

import asyncio
from collections.abc import Callable
from contextvars import Context
from typing import Any, TypeVarTuple

from sidegate.client.slots.slots_in_loop import LoopSlots
from sidegate.link.health import LinkState
from sidegate.protocol.holds.slot_messages import SlotsFreed

Ts = TypeVarTuple("Ts")


class StuckLink:
    """A link whose sidecar doesn't read until it is `free`."""

    state = LinkState.UP

    def __init__(self) -> None:
        self.free = False
        self.said: list[SlotsFreed] = []

    def tell(self, message: SlotsFreed) -> bool:
        """Say it, if that goes."""
        if self.free:
            self.said.append(message)
        return self.free


class CountingLoop(asyncio.SelectorEventLoop):
    """A loop that knows its timers."""

    def __init__(self) -> None:
        super().__init__()
        self.timers: list[asyncio.TimerHandle] = []

    def call_later(
        self,
        delay: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Keep the timer."""
        self.timers.append(super().call_later(delay, callback, *args, context=context))
        return self.timers[-1]


def test_what_a_sidecar_does_not_read_just_now_is_told_by_one_timer() -> None:
    loop = CountingLoop()
    try:
        link: Any = StuckLink()
        slots = LoopSlots(loop, link, budget=0.2)
        for slot in range(50):
            slots.free(slot, "user:42")
        assert len([timer for timer in loop.timers if not timer.cancelled()]) == 1
        link.free = True
        slots.free(50, "user:42")
        assert [slot for freed in link.said for slot, _ in freed.rows] == list(range(51))
        assert all(timer.cancelled() for timer in loop.timers)
    finally:
        loop.close()
