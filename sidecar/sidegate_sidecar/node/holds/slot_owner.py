"""The slots that a node decides about: as the owner of their keys, or in the owner's place. Pure.

It keeps nothing that must not be lost. Who holds a slot says so every half second, and a slot of
which nobody has said so for two seconds is free.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sidegate.buckets.decision import Source
from sidegate.buckets.limits import SECOND
from sidegate.errors import TooManySlots
from sidegate.protocol.holds.slot_messages import FreedBy, SlotAnswer, SlotState, StandIn
from sidegate.slots.slot_table import SlotTable, Wanted
from sidegate_sidecar.node.holds.slot_around import LASTS, MILLISECOND

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TypeAlias

    from sidegate.protocol.holds.slot_messages import FreedRow, HeldRow, SlotAsk
    from sidegate_sidecar.node.holds.slot_counts import SlotCounts
    from sidegate_sidecar.node.holds.slot_places import SlotPlaces

    Deliver: TypeAlias = Callable[[SlotAnswer, str], None]

STOOD_STILL: Final = SECOND // 2  # ns between two ticks: then nobody was heard meanwhile


class SlotOwner:
    """The table of one node. `deliver` sends an answer about a key to who holds its question."""

    def __init__(
        self, name: str, places: SlotPlaces, counts: SlotCounts, deliver: Deliver, now: int
    ) -> None:
        self.table = SlotTable()
        self._name = name
        self._places = places
        self._counts = counts
        self._deliver = deliver
        self._ticked_at = now

    def ask(self, ask: SlotAsk, now: int) -> None:
        """Decide, and answer: at once, and again when who waits has got one."""
        self._note_pause(now)
        if ask.strict and (wait := self._unknown_for(ask, now)) > 0:
            self._answer(ask, SlotState.DENIED, -(-wait // MILLISECOND))
            return
        wanted = Wanted(
            ask.slot, ask.key, ask.at_most, ask.holder, LASTS, now + ask.wait * MILLISECOND
        )
        try:
            granted = self.table.take(wanted, now)
        except TooManySlots as full:
            self._answer(ask, SlotState.FAULT, why=str(full))
            return
        if granted:
            self._answer(ask, SlotState.GRANTED)
        elif ask.wait and ask.stand_in is not StandIn.FORMER and self.table.wait(wanted):
            self._answer(ask, SlotState.WAITS)
        else:
            self._answer(ask, SlotState.DENIED)

    def _unknown_for(self, ask: SlotAsk, now: int) -> int:
        """Return for how many ns this node may still lack some that are held."""
        match ask.stand_in:
            case StandIn.NO:
                return self._places.knows_all_at(ask.key, now) - now
            case StandIn.FORMER:
                return 0
            case StandIn.SILENT:
                return LASTS

    def _answer(
        self, ask: SlotAsk | Wanted, state: SlotState, retry_after: int = 0, why: str = ""
    ) -> None:
        owners = self._places.pair(ask.key)[0], self._places.former(ask.key, self._ticked_at)
        source = Source.OWNER if self._name in owners else Source.BACKUP
        in_flight = self.table.in_flight(ask.key)
        answer = SlotAnswer(
            ask.slot, state, self._name, source, in_flight, retry_after, ask.holder, why
        )
        self._deliver(answer, ask.key)

    def hold(self, rows: Iterable[HeldRow], holder: str, now: int, *, claim: bool) -> None:
        """Take note that slots are held, however many are."""
        self._note_pause(now)
        put = self.table.hold if claim else self.table.renew
        for slot, key, _ in rows:
            put(slot, key, holder, now + LASTS)

    def free(self, rows: Iterable[FreedRow], holder: str, now: int) -> None:
        """Free slots, and have those who wait get them."""
        for slot, _ in rows:
            _, served = self.table.free(slot, holder, now)
            self._tell(served)

    def _tell(self, served: Iterable[Wanted]) -> None:
        for wanted in served:
            self._answer(wanted, SlotState.GRANTED)

    @property
    def is_idle(self) -> bool:
        """Is nothing held, and nobody waiting?

        Then a rest without ticks is no pause: `_note_pause` is called before the first is held.
        """
        return not self.table and not self.table.waiting

    # --- what happens

    def ring_changed(self) -> None:
        """Have those who wait for what isn't this node's any more ask again."""
        for wanted in self.table.waiters():
            if self._places.pair(wanted.key)[0] != self._name:
                self.table.leave_queue(wanted.slot)
                self._answer(wanted, SlotState.DENIED)

    def node_left(self, name: str, now: int) -> None:
        """Called when the link to a node broke: what it holds is held while it says so."""
        for wanted in self.table.forget_waiters(name):
            self._tell(self.table.serve(wanted.key, now))

    def tick(self, now: int) -> None:
        """Free what nobody has said to be held, and answer those who have waited in vain."""
        self._note_pause(now)
        for held in self.table.expired(now):
            self._counts.freed[FreedBy.SILENT] += 1
            self._tell(self.table.serve(held.key, now))
        for wanted in self.table.overdue(now):
            self._answer(wanted, SlotState.DENIED)
            self._tell(self.table.serve(wanted.key, now))

    def _note_pause(self, now: int) -> None:
        """Hold against nobody that this process didn't listen."""
        if now - self._ticked_at > STOOD_STILL:
            self.table.extend(now - self._ticked_at)
        self._ticked_at = now
