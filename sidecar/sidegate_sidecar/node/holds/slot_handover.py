"""Handing slots over: who owned keys says to who owns them now which of their slots are held. Pure.

Their holders say so too, as soon as they know the ring. One that is kept from running may say it
late, when the former owner is gone: until then the new one goes by this.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from sidegate.protocol.holds.slot_messages import SlotAnswer, SlotsHeld
from sidegate.protocol.messages import MAX_HOPS
from sidegate_sidecar.node.holds.slot_around import LASTS, MILLISECOND

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sidegate.protocol.holds.slot_messages import HeldRow
    from sidegate.slots.slot_table import HeldSlot, SlotTable
    from sidegate_sidecar.node.holds.slot_around import SlotAround
    from sidegate_sidecar.node.holds.slot_places import SlotPlaces

LOOKED_AT: Final = 512  # slots in a tick: half a millisecond, and what fits into a message


class SlotHandover:
    """What one node tells of its table when the ring has changed. `now` is in ns."""

    def __init__(self, around: SlotAround, places: SlotPlaces, table: SlotTable) -> None:
        self._around = around
        self._places = places
        self._table = table
        self._left: Iterator[HeldSlot] | None = None

    @property
    def is_over(self) -> bool:
        """Has all been told?"""
        return self._left is None

    def ring_changed(self, now: int) -> None:
        """Called when there is another ring: tell what is held, some now and the rest in ticks."""
        self._left = iter(self._table.all_held())
        self.tick(now)

    def tick(self, now: int) -> None:
        """Tell some more."""
        if self._left is None:
            return
        some = list(islice(self._left, LOOKED_AT))
        if len(some) < LOOKED_AT:
            self._left = None
        told: dict[tuple[str, str], list[HeldRow]] = {}
        for held in some:
            owner = self._new_owner(held.key, now)
            if owner not in {"", held.holder} and self._table.is_held(held.slot):
                row = held.slot, held.key, max(held.ends - now, 0) // MILLISECOND
                told.setdefault((owner, held.holder), []).append(row)
        for (owner, holder), rows in told.items():
            self._around.post(owner, SlotsHeld(MAX_HOPS, holder, rows))

    def granted(self, answer: SlotAnswer, key: str, via: str, now: int) -> None:
        """Called when a slot was granted here: by a ring that is over, or for who owns it now.

        The answer goes by way of a node, or of none: the owner, or who stands in for it.
        """
        owner = self._new_owner(key, now)
        if owner not in {"", answer.holder, via}:
            row = answer.slot, key, LASTS // MILLISECOND
            self._around.post(owner, SlotsHeld(MAX_HOPS, answer.holder, [row]))

    def _new_owner(self, key: str, now: int) -> str:
        """Return who owns a key that was this node's until the ring changed; else ""."""
        owner, me = self._places.pair(key)[0], self._around.name
        return owner if owner != me and self._places.owned_before(key, now) else ""
