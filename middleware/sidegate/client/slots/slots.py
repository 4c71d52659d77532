"""Slots: what a client gives, in event loops and in threads."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from sidegate.client.config import Configured
from sidegate.client.slots.slot import DEFAULT_TTL, slot_wanted

if TYPE_CHECKING:
    from sidegate.client.slots.loop_slot import LoopSlot, SlotSession
    from sidegate.client.slots.thread_slot import SlotThreads, ThreadSlot


class SlotsInLoops(Configured):
    """What clients of event loops have for what is held for a while."""

    @abstractmethod
    def _here(self) -> SlotSession:
        """Return what asks in the running loop."""

    def slot(
        self,
        key: str,
        at_most: int,
        *,
        ttl: float = DEFAULT_TTL,
        timeout: float = 0.0,
        strict: bool = False,
    ) -> LoopSlot:
        """Return one of at most so many slots of a key, for an `async with` block, or raise NoSlot.

        Over all nodes and processes no more than `at_most` such blocks run at a time. It is held
        until the block is left, and by whom nobody hears of any more it isn't: at once where the
        app's link to its sidecar breaks, after 2 seconds where that sidecar is gone, and after
        `ttl` seconds in any case. `timeout` is how many seconds it is waited for, in order; NoSlot
        is raised then. Where nobody can be asked, `on_unreachable` decides. For two seconds after
        the key's owner was lost there may be twice as many; with `strict` there are none instead.
        """
        from sidegate.client.slots.loop_slot import LoopSlot  # noqa: PLC0415 - few want it

        return LoopSlot(self._here, slot_wanted(key, at_most, ttl, timeout, strict=strict))


class SlotsInThreads(Configured):
    """What clients of threads have for what is held for a while."""

    @abstractmethod
    def _here(self) -> SlotThreads:
        """Return what asks in this process."""

    def slot(
        self,
        key: str,
        at_most: int,
        *,
        ttl: float = DEFAULT_TTL,
        timeout: float = 0.0,
        strict: bool = False,
    ) -> ThreadSlot:
        """Return one of at most so many slots of a key, for a `with` block, or raise NoSlot.

        As `Client.slot`. While one is asked for or held, a thread listens to the sidecar, over a
        connection of its own; it is that one which holds it.
        """
        from sidegate.client.slots.thread_slot import ThreadSlot  # noqa: PLC0415 - few want it

        return ThreadSlot(self._here, slot_wanted(key, at_most, ttl, timeout, strict=strict))
