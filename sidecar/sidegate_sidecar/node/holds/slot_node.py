"""The slots of one node: is the key mine? Then decide. Else ask its owner. Pure; `now` is in ns.

Apps and nodes are both sources of what is said here. A question passes two other nodes at most: the
one that is asked, and the owner before, which decides for a second after the ring has changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from sidegate.protocol.codec import WireError, refuse
from sidegate.protocol.holds.slot_messages import (
    MAX_SLOT_ROWS,
    FreedBy,
    SlotAnswer,
    SlotAsk,
    SlotsFreed,
    SlotsHeld,
    SlotState,
    StandIn,
)
from sidegate.protocol.messages import MAX_HOPS, require_key
from sidegate_sidecar.cache.silence import Silence
from sidegate_sidecar.node.holds.slot_counts import SlotCounts
from sidegate_sidecar.node.holds.slot_handover import SlotHandover
from sidegate_sidecar.node.holds.slot_holder import MAX_HELD, SlotHolder
from sidegate_sidecar.node.holds.slot_owner import SlotOwner
from sidegate_sidecar.node.holds.slot_places import SlotPlaces

if TYPE_CHECKING:
    from sidegate.protocol.holds.slot_messages import FreedRow, HeldRow, SlotMessage
    from sidegate_sidecar.node.holds.slot_around import SlotAround, Speaker


class SlotNode:
    """What a node decides about slots, and what its apps hold. `patience` is in ns."""

    def __init__(self, around: SlotAround, *, patience: int, now: int) -> None:
        self._around = around
        self._silence = silence = Silence(around, patience)
        self.counts = SlotCounts()
        self._places = SlotPlaces(around, silence, now)
        self.owner = SlotOwner(around.name, self._places, self.counts, self._deliver, now)
        self.handover = SlotHandover(around, self._places, self.owner.table)
        self.holder = SlotHolder(around, self._places, silence, self.counts, self)
        self._now = now
        self._deferred: dict[int, tuple[str, SlotAsk, int]] = {}
        """Questions that a former owner has been asked, and when."""
        self._is_former = False  # does it decide for who owns the key now?
        self._via = ""  # the node whose word is being handled

    # --- what somebody says

    def on_message(self, source: Speaker, message: SlotMessage, now: int) -> None:
        """Handle a message. WireError or KeyTooLong for one that makes no sense."""
        self._now = now
        if isinstance(source, int):
            self._on_app(source, message)
            return
        self._via = source
        try:
            self._on_node(source, message)
        finally:
            self._via = ""

    def _on_node(self, name: str, message: SlotMessage) -> None:
        self._silence.broken(name, self._now)
        if not message.holder:
            raise WireError("bad-message", "a word of a node about slots, of no holder")
        match message:
            case SlotAsk():
                require_key(message.key)
                self._asked(message)
            case SlotAnswer():
                noted_by = self._around.name if self._note_former(message) else name
                if message.holder == self._around.name:
                    self.holder.answered(message, self._now, noted_by)
                else:
                    self._around.post(message.holder, message)
            case SlotsHeld():
                self._held(message)
            case SlotsFreed():
                self._freed(message)

    def _note_former(self, answer: SlotAnswer) -> bool:
        """Note what the former owner has granted, if it has: its holder's word may come later."""
        deferred = self._deferred.pop(answer.slot, None)
        if deferred is None:
            return False
        row = answer.slot, deferred[1].key
        if answer.state is SlotState.GRANTED:
            self.owner.hold([(*row, 0)], answer.holder, self._now, claim=False)
        else:
            self.owner.free([row], answer.holder, self._now)
        return True

    def _hold_deferred(self, key: str) -> None:
        """Take for held what the former owner may be granting just now."""
        for _, ask, _ in self._deferred.values():
            if ask.key == key:
                self.owner.hold([(ask.slot, key, 0)], ask.holder, self._now, claim=False)

    def _on_app(self, source: int, message: SlotMessage) -> None:
        if isinstance(message, SlotAnswer):
            refuse(message)
        if message.holder or message.hops:
            raise WireError("bad-message", "a word of an app about slots, of another holder")
        match message:
            case SlotAsk():
                require_key(message.key)
                self.holder.ask(source, replace(message, stand_in=StandIn.NO), self._now)
            case SlotsHeld():
                for _, key, _ in message.rows:
                    require_key(key)
                self.holder.hold(source, message.rows, self._now)
            case SlotsFreed():
                self.holder.free(source, message.rows, self._now)

    def _asked(self, ask: SlotAsk) -> None:
        """Decide about a question of a holder, or have who does."""
        me, now = self._around.name, self._now
        decider = self._decider(ask.key)
        if ask.stand_in:
            self._is_former = ask.stand_in is StandIn.FORMER
            self.owner.ask(ask, now)
            self._is_former = False
        elif decider == me or (decider and ask.hops < MAX_HOPS):
            self.ask(decider, ask, now)
        else:
            answer = SlotAnswer(ask.slot, SlotState.NOBODY, me, "", 0, holder=ask.holder)
            self._deliver(answer, ask.key)

    def _decider(self, key: str) -> str:
        """Return who is to decide, as far as is known here; "" for nobody."""
        if self._places.former(key, self._now) == self._around.name:
            return self._around.name
        return self._places.decider(key, self._now)

    def _deliver(self, answer: SlotAnswer, key: str) -> None:
        """Give an answer to the holder of its question, by the way that it came if need be."""
        holder = answer.holder
        if answer.state is SlotState.GRANTED:
            via = self._via if self._is_former else ""
            self.handover.granted(answer, key, via, self._now)
        if self._via and self._is_former:  # who owns the key now is to hear of it
            self._around.post(self._via, answer)
        elif holder == self._around.name:
            self.holder.answered(answer, self._now)
        elif self._via and not self._around.is_up(holder):
            self._around.post(self._via, answer)
        else:
            self._around.post(holder, answer)

    def _held(self, message: SlotsHeld) -> None:
        """Note what is held, also of other nodes' keys: whoever says so may know a newer ring."""
        onward: dict[str, list[HeldRow]] = {}
        for row in message.rows:
            require_key(row[1])
            decider = self._places.decider(row[1], self._now)
            if decider not in {"", self._around.name}:
                onward.setdefault(decider, []).append(row)
        self.owner.hold(message.rows, message.holder, self._now, claim=message.claim == 1)
        if message.hops >= MAX_HOPS:
            return
        for name, rows in onward.items():
            self._around.post(
                name, SlotsHeld(message.hops + 1, message.holder, rows, message.claim)
            )

    def _freed(self, message: SlotsFreed) -> None:
        """Free slots here, wherever their keys belong, and there."""
        self.owner.free(message.rows, message.holder, self._now)
        if message.hops >= MAX_HOPS:
            return
        onward: dict[str, list[FreedRow]] = {}
        for row in message.rows:
            decider = self._places.decider(row[1], self._now) if row[1] else ""
            if decider not in {"", self._around.name}:
                onward.setdefault(decider, []).append(row)
        for name, rows in onward.items():
            self._around.post(name, SlotsFreed(message.hops + 1, message.holder, message.by, rows))

    # --- the roads of what is held here

    def ask(self, name: str, ask: SlotAsk, now: int) -> None:
        """Ask a node; where the key has just become this one's, ask who owned it before."""
        if name != self._around.name:
            self._around.post(name, replace(ask, hops=ask.hops + 1))
            return
        former = self._places.former(ask.key, now)
        if not ask.stand_in and former not in {"", name} and self._places.can_ask(former, now):
            if len(self._deferred) < MAX_HELD:
                self._deferred[ask.slot] = former, ask, now
            self._around.post(former, replace(ask, hops=ask.hops + 1, stand_in=StandIn.FORMER))
        else:
            if self._deferred:
                self._hold_deferred(ask.key)
            self.owner.ask(ask, now)

    def tell_held(self, name: str, rows: list[HeldRow], now: int, *, claim: bool) -> None:
        """Say to a node that these are held here."""
        me = self._around.name
        if name == me:
            self.owner.hold(rows, me, now, claim=claim)
            return
        for at in range(0, len(rows), MAX_SLOT_ROWS):
            some = rows[at : at + MAX_SLOT_ROWS]
            self._around.post(name, SlotsHeld(1, me, some, int(claim)))

    def tell_freed(
        self, name: str, rows: list[FreedRow], by: FreedBy, now: int, *, alone: bool = False
    ) -> None:
        """Say to a node that these aren't; `alone`: that one isn't to pass it on."""
        me, hops = self._around.name, MAX_HOPS if alone else 1
        if name == me:
            self.owner.free(rows, me, now)
            return
        for at in range(0, len(rows), MAX_SLOT_ROWS):
            self._around.post(name, SlotsFreed(hops, me, by, rows[at : at + MAX_SLOT_ROWS]))

    # --- what happens

    def app_left(self, source: int, now: int) -> None:
        """Called when the link of an app broke."""
        self._now = now
        self.holder.app_left(source, now)

    def node_up(self, name: str, now: int) -> None:
        """Called when the link to a node came up, or is trusted again."""
        self._now = now
        self._places.node_up(name)
        self.holder.changed(now)

    def node_left(self, name: str, now: int) -> None:
        """Called when the link to a node broke."""
        self._now = now
        self._places.node_left(name, now)
        self.owner.node_left(name, now)
        self.holder.node_left(name, now)
        for former, ask, _ in list(self._deferred.values()):
            if former == name:
                del self._deferred[ask.slot]
                # Taken for held while it might be: what that one has granted came by way of us.
                self.owner.free([(ask.slot, ask.key)], ask.holder, now)
                self.owner.ask(ask, now)

    def ring_changed(self, now: int) -> None:
        """Called when there is another ring."""
        self._now = now
        self._places.ring_changed(now)
        self.handover.ring_changed(now)
        self.owner.ring_changed()
        self.holder.changed(now)

    @property
    def is_idle(self) -> bool:
        """Would ticks change nothing and say nothing, however late they come?"""
        return (
            not self._deferred
            and self._places.is_settled
            and self.owner.is_idle
            and self.handover.is_over
            and self.holder.is_idle
        )

    def tick(self, now: int) -> None:
        """Do what is due, at least every 50 ms while it isn't idle."""
        self._now = now
        self._places.forget_old(now)
        for _, ask, asked_at in list(self._deferred.values()):
            if now - asked_at > self._silence.patience:
                del self._deferred[ask.slot]
        self.owner.tick(now)
        self.handover.tick(now)
        self.holder.tick(now)
