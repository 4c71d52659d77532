"""Slots of one event loop: asked for over its link, told again where that has broken."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from sidegate.link.health import LinkState
from sidegate.protocol.codec import refuse
from sidegate.protocol.holds.slot_messages import (
    MAX_SLOT_ROWS,
    FreedBy,
    SlotAnswer,
    SlotAsk,
    SlotsFreed,
    SlotsHeld,
    SlotState,
)

if TYPE_CHECKING:
    import asyncio

    from sidegate.link.link import Link
    from sidegate.protocol.holds.slot_messages import FreedRow, HeldRow, SlotMessage

LATE: Final = 0.01  # seconds by which a timer is late only in a loop that is busy
MAX_LATE: Final = 10.0  # seconds that an answer may wait for its own loop, as with checks
TELL_AGAIN: Final = 0.1  # seconds, where the sidecar doesn't read just now
MAX_ASKING: Final = 16_384  # of a loop: as many as a sidecar takes


class _LoopAsking:
    __slots__ = ("ask", "due", "future", "timer", "until")

    def __init__(self, ask: SlotAsk, future: asyncio.Future[SlotAnswer | None], now: float) -> None:
        self.ask = ask
        self.future = future
        self.until = now + ask.wait / 1e3  # how long it is waited for
        self.due = now  # when the next answer is to be there
        self.timer: asyncio.TimerHandle | None = None


class LoopSlots:
    """What one loop asks for and holds. `budget` is for a first answer, in seconds."""

    def __init__(self, loop: asyncio.AbstractEventLoop, link: Link, budget: float) -> None:
        self._loop = loop
        self._link = link
        self._budget = budget
        self._asking: dict[int, _LoopAsking] = {}
        self._held: dict[int, tuple[str, float]] = {}  # key and end, by slot
        self._untold: list[FreedRow] = []
        self._timer: asyncio.TimerHandle | None = None

    def why(self) -> str:
        """Return why there is no answer, for people."""
        link = self._link
        if link.refusal and link.state is LinkState.DOWN:
            return link.refusal
        return link.lacks(SlotAsk) or f"no answer within {self._budget * 1e3:g} ms"

    async def ask(self, ask: SlotAsk) -> SlotAnswer | None:
        """Return what became of a question; None if nobody has answered in time.

        What was granted is held from then on, until `free` is called. Who is cancelled has none.
        """
        link, slot = self._link, ask.slot
        if not link.takes_checks or link.lacks(SlotAsk) or len(self._asking) >= MAX_ASKING:
            return None
        future: asyncio.Future[SlotAnswer | None] = self._loop.create_future()
        self._asking[slot] = asking = _LoopAsking(ask, future, self._loop.time())
        self._expect(asking, self._budget)
        if link.state is LinkState.UP:  # else it is asked when the link is
            link.tell(ask)
        try:
            return await future
        except BaseException:
            self._settle(slot, None)
            self.free(slot, ask.key)
            raise

    def free(self, slot: int, key: str) -> None:
        """Give a slot back, also one that may have been granted or not."""
        self._held.pop(slot, None)
        self._untold.append((slot, key))
        self._tell_freed()

    def _tell_freed(self) -> None:
        """Say what is free; without a link there is nobody to tell, and all of it is."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._untold:
            rows = self._untold[:MAX_SLOT_ROWS]
            if not self._link.tell(SlotsFreed(0, "", FreedBy.RELEASED, rows)):
                break
            del self._untold[: len(rows)]
        if self._untold and self._link.state in {LinkState.UP, LinkState.SUSPECT}:
            self._timer = self._loop.call_later(TELL_AGAIN, self._tell_freed)
        else:
            self._untold.clear()

    def _settle(self, slot: int, answer: SlotAnswer | None) -> None:
        asking = self._asking.pop(slot, None)
        if asking is not None:
            if asking.timer is not None:
                asking.timer.cancel()
            if not asking.future.done():
                asking.future.set_result(answer)

    def _expect(self, asking: _LoopAsking, within: float) -> None:
        """Have the answer come within so many seconds."""
        if asking.timer is not None:
            asking.timer.cancel()
        asking.due = self._loop.time() + within
        asking.timer = self._loop.call_at(asking.due, self._overdue, asking.ask.slot)

    def _overdue(self, slot: int) -> None:
        asking, now = self._asking[slot], self._loop.time()
        if now - asking.due > LATE and now < asking.until + MAX_LATE:
            self._expect(asking, self._budget)  # our own loop was late: its answer may be there
            return
        self._settle(slot, None)
        self.free(slot, asking.ask.key)  # an answer may still be on its way
        if asking.ask.wait == 0 or self._loop.time() < asking.until:
            self._link.suspect()

    # --- what the link tells

    def on_message(self, message: SlotMessage) -> None:
        """Handle an answer."""
        if not isinstance(message, SlotAnswer):
            refuse(message)
        slot = message.slot
        asking = self._asking.get(slot)
        if asking is None:
            if message.state is SlotState.GRANTED and slot not in self._held:
                self.free(slot, "")  # it came too late
        elif message.state is SlotState.WAITS:
            self._expect(asking, max(asking.until - self._loop.time(), 0.0) + self._budget)
        else:
            if message.state is SlotState.GRANTED and not asking.future.done():
                self._held[slot] = asking.ask.key, time.monotonic() + asking.ask.ttl / 1e3
            self._settle(slot, message)

    def link_up(self, link: Link) -> None:
        """Say on a new connection what is held, and ask what has no answer yet."""
        self._untold.clear()  # on the one before, which is gone
        if why := link.lacks(SlotAsk):
            assert why  # it is of an older release: nobody answers
            self._lose()
            return
        for rows in _parts(self._held):
            link.tell(SlotsHeld(0, "", rows, 1))
        now = self._loop.time()
        for asking in self._asking.values():
            link.tell(replace(asking.ask, wait=max(int((asking.until - now) * 1e3), 0)))

    def link_down(self, link: Link) -> None:
        """Wait a budget for another connection, if one is dialled; else nobody answers."""
        self._untold.clear()
        if not link.takes_checks:
            self._lose()
            return
        for asking in self._asking.values():
            self._expect(asking, self._budget)

    def _lose(self) -> None:
        for slot in list(self._asking):
            self._settle(slot, None)


def _parts(held: dict[int, tuple[str, float]]) -> list[list[HeldRow]]:
    """Return what is held, in as many parts as there are messages to make of it."""
    now = time.monotonic()
    rows: list[HeldRow] = [
        (slot, key, int((ends - now) * 1e3)) for slot, (key, ends) in held.items() if ends > now
    ]
    return [rows[at : at + MAX_SLOT_ROWS] for at in range(0, len(rows), MAX_SLOT_ROWS)]
