"""A slot for the time of a `with` block."""

from __future__ import annotations

import secrets
import threading
import time
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
    from sidegate.client.slots.slots_in_threads import ThreadSlots
    from sidegate.client.unreachable.alone import Alone
    from sidegate.link.endpoint import Endpoint

    class SlotThreads(AsksForRules, Protocol):
        """What the threads of one process share."""

        @property
        def options(self) -> Endpoint:
            """Where the sidecar is."""
            ...

        @property
        def alone(self) -> Alone:
            """What decides without it."""
            ...

        def slots(self) -> ThreadSlots | None:
            """Return what asks for slots, None where nobody can be asked."""
            ...


class ThreadSlot(SlotBlock):
    """One slot of a key, for a `with` block. It may be used again, but not while it is held.

    `here` returns what asks in this process.
    """

    def __init__(self, here: Callable[[], SlotThreads], wanted: SlotWanted) -> None:
        super().__init__(wanted)
        self._here = here

    def __enter__(self) -> Slot:
        self._require_free()
        shared = self._here()
        instead = instead_of_asking(shared.options, self._wanted)
        if instead is None:
            instead = self._ask(shared)
        if isinstance(instead, Slot):
            return self._got(instead)
        return self._take(instead)

    def __exit__(self, *_: object) -> None:
        self._leave()

    def _ask(self, shared: SlotThreads) -> HereWanted | Slot:
        """Ask the sidecar. NoSlot, or a CheckError."""
        wanted, slots = self._wanted, shared.slots()
        if slots is None:
            return by_policy(shared.alone, wanted, shared.options.fault)
        slot = secrets.randbelow(MAX_SLOT_ID)
        self._free = partial(slots.free, slot, wanted.key)  # if it is interrupted
        try:
            answer = slots.ask(wanted.ask(slot))
            granted = answer is not None and answer.state is SlotState.GRANTED
        except BaseException:
            self._free = None
            raise
        if answer is not None and granted:
            if shared.alone.is_out:
                shared.alone.answered()
            return Slot(wanted.key, wanted.at_most, answer.in_flight, answer.source, answer.node)
        self._free = None
        if answer is None:
            return by_policy(shared.alone, wanted, slots.why())
        if answer.state is SlotState.NOBODY:
            return by_policy(shared.alone, wanted, "no node can be asked that may give one")
        raise wanted.denied(answer)

    def _take(self, here: HereWanted) -> Slot:
        """Take one of this process. NoSlot."""
        slot, wanted, freed = secrets.randbelow(MAX_SLOT_ID), here.wanted, threading.Event()
        wake = freed.set if wanted.timeout else None
        deadline = time.monotonic() + wanted.timeout
        try:
            while not here.slots.take(here.row(slot), wake):
                freed.wait(here.left(deadline, time.monotonic()))
                freed.clear()
        except BaseException:
            here.slots.free(slot)
            raise
        self._free = partial(here.slots.free, slot)
        return here.got()
