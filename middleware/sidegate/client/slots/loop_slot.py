"""A slot for the time of an `async with` block."""

from __future__ import annotations

import asyncio
import secrets
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from sidegate.client.slots.slot import Slot
from sidegate.client.slots.slot_alone import by_policy, instead_of_asking
from sidegate.client.slots.slot_block import SlotBlock
from sidegate.protocol.holds.slot_messages import MAX_SLOT_ID, SlotState

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from sidegate.client.config import AsksForRules
    from sidegate.client.slots.slot import SlotWanted
    from sidegate.client.slots.slot_alone import HereWanted
    from sidegate.client.slots.slots_in_loop import LoopSlots
    from sidegate.client.unreachable.alone import Alone
    from sidegate.link.endpoint import Endpoint

    class SlotSession(AsksForRules, Protocol):
        """What a client has in one event loop."""

        @property
        def options(self) -> Endpoint:
            """Where the sidecar is."""
            ...

        @property
        def alone(self) -> Alone:
            """What decides without it."""
            ...

        def slots(self) -> LoopSlots | None:
            """Return what asks for slots, None where there is no link."""
            ...


class LoopSlot(SlotBlock):
    """One slot of a key; `async with` it. It may be used again, but not while it is held.

    `here` returns the session of the running loop.
    """

    def __init__(self, here: Callable[[], SlotSession], wanted: SlotWanted) -> None:
        super().__init__(wanted)
        self._here = here

    async def __aenter__(self) -> Slot:
        self._require_free()
        session = self._here()
        instead = instead_of_asking(session.options, self._wanted)
        if instead is None:
            instead = await self._ask(session)
        if isinstance(instead, Slot):
            return self._got(instead)
        return await self._take(instead)

    async def __aexit__(self, *_: object) -> None:
        self._leave()

    async def _ask(self, session: SlotSession) -> HereWanted | Slot:
        """Ask the sidecar. NoSlot, or a CheckError."""
        wanted, slots = self._wanted, session.slots()
        if slots is None:
            return by_policy(session.alone, wanted, session.options.fault)
        slot = secrets.randbelow(MAX_SLOT_ID)
        answer = await slots.ask(wanted.ask(slot))
        if answer is None:
            return by_policy(session.alone, wanted, slots.why())
        if session.alone.is_out:
            session.alone.answered()
        if answer.state is SlotState.NOBODY:
            return by_policy(session.alone, wanted, "no node can be asked that may give one")
        if answer.state is not SlotState.GRANTED:
            raise wanted.denied(answer)
        self._free = partial(slots.free, slot, wanted.key)
        return Slot(wanted.key, wanted.at_most, answer.in_flight, answer.source, answer.node)

    async def _take(self, here: HereWanted) -> Slot:
        """Take one of this process. NoSlot."""
        slot, wanted = secrets.randbelow(MAX_SLOT_ID), here.wanted
        loop, freed = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(freed.set)

        deadline = time.monotonic() + wanted.timeout
        try:
            while not here.slots.take(here.row(slot), wake if wanted.timeout else None):
                left = here.left(deadline, time.monotonic())
                with suppress(TimeoutError):
                    async with asyncio.timeout(left):
                        await freed.wait()
                freed.clear()
        except BaseException:
            here.slots.free(slot)
            raise
        self._free = partial(here.slots.free, slot)
        return here.got()
