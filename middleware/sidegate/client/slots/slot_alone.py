"""A slot without the sidecar: where none is asked on purpose, and where it can't be asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sidegate.buckets.decision import OnUnreachable, Source
from sidegate.buckets.limits import SECOND
from sidegate.client.memory import STANDING, switched_off
from sidegate.client.slots.slot import Slot
from sidegate.client.unreachable.slots_here import HERE
from sidegate.errors import NoSlot
from sidegate.slots.slot_table import Wanted

if TYPE_CHECKING:
    from sidegate.client.slots.slot import SlotWanted
    from sidegate.client.unreachable.alone import Alone
    from sidegate.client.unreachable.slots_here import SlotsHere
    from sidegate.link.endpoint import Endpoint


class HereWanted(NamedTuple):
    """What is asked of the slots of this process, and what its source is called."""

    slots: SlotsHere
    wanted: SlotWanted
    source: Source

    def row(self, slot: int) -> Wanted:
        """Return what is asked of them, for a slot of that id."""
        wanted = self.wanted
        return Wanted(slot, wanted.key, wanted.at_most, HERE, int(wanted.ttl * SECOND))

    def got(self) -> Slot:
        """Return the slot, once it is held."""
        in_flight = self.slots.in_flight(self.wanted.key)
        return Slot(self.wanted.key, self.wanted.at_most, in_flight, self.source)

    def left(self, deadline: float, now: float) -> float:
        """Return in how many seconds to look again whether one is free. NoSlot at the deadline."""
        if (left := deadline - now) <= 0:
            raise self.missed()
        return min(left, self.slots.next_end(self.wanted.key))

    def missed(self) -> NoSlot:
        """Return the exception for one that isn't."""
        wanted, in_flight = self.wanted, self.slots.in_flight(self.wanted.key)
        return NoSlot(wanted.key, wanted.at_most, in_flight, self.source)


def instead_of_asking(options: Endpoint, wanted: SlotWanted) -> HereWanted | Slot | None:
    """Return who is asked in the place of a sidecar, or what is got; None: the sidecar is."""
    instead = STANDING.decide or options.instead
    if instead is None:
        return None
    if instead is switched_off:
        return Slot(wanted.key, wanted.at_most, 0, Source.OPEN)
    return HereWanted(STANDING.memory.slots, wanted, Source.MEMORY)


def by_policy(alone: Alone, wanted: SlotWanted, why: str) -> HereWanted | Slot:
    """Return what is got where nobody can be asked, or who is asked here. NoSlot."""
    match alone.lacking_slot(why):
        case OnUnreachable.OPEN:
            return Slot(wanted.key, wanted.at_most, 0, Source.OPEN)
        case OnUnreachable.CLOSED:
            raise NoSlot(wanted.key, wanted.at_most, 0, Source.CLOSED)
        case OnUnreachable.LOCAL:
            share = max(wanted.at_most // alone.nodes, 1)
            return HereWanted(alone.slots, wanted._replace(at_most=share), Source.LOCAL)
