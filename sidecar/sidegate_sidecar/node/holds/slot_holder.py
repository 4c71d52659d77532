"""The slots that apps of a node ask for and hold. Pure.

Each is free when the link of its app breaks. Who decides about them is told every half second that
they are held, and at once when it is another node or has another link.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from sidegate.buckets.limits import SECOND
from sidegate.protocol.holds.slot_messages import FreedBy, SlotAnswer, SlotState, StandIn
from sidegate_sidecar.node.holds.slot_around import LASTS, MILLISECOND

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Protocol

    from sidegate.protocol.holds.slot_messages import FreedRow, HeldRow, SlotAsk
    from sidegate_sidecar.cache.silence import Silence
    from sidegate_sidecar.node.holds.slot_around import SlotAround
    from sidegate_sidecar.node.holds.slot_counts import SlotCounts
    from sidegate_sidecar.node.holds.slot_places import SlotPlaces

    class SlotRoads(Protocol):
        """The ways to who decides, also where that is this node."""

        def ask(self, name: str, ask: SlotAsk, now: int) -> None:
            """Ask a node."""

        def tell_held(self, name: str, rows: list[HeldRow], now: int, *, claim: bool) -> None:
            """Say to a node that these are held here."""

        def tell_freed(
            self, name: str, rows: list[FreedRow], by: FreedBy, now: int, *, alone: bool = False
        ) -> None:
            """Say to a node that these aren't; `alone`: that one isn't to pass it on."""


MAX_HELD: Final = 16_384  # asked for or held by apps of one node: to renew them takes 5 % of a CPU
RENEW_EVERY: Final = SECOND // 2  # ns; after four times that a slot is free
RENEWED: Final = 2_048  # in a tick: a few milliseconds
RETRY_EVERY: Final = SECOND // 10  # ns between two questions of who waits and stands in no queue


class _Asked:
    __slots__ = (
        "again_at",
        "ask",
        "at",
        "deadline",
        "in_flight",
        "queued",
        "silent",
        "source",
        "to",
        "tried",
        "until",
        "waits",
    )

    def __init__(self, source: int, ask: SlotAsk, until: int) -> None:
        self.source = source
        self.ask = ask
        self.until = until  # how long it is waited for
        self.to = ""  # who is asked
        self.at = self.deadline = 0  # when, and how long its first answer may take
        self.again_at = 0  # when to ask again, if nobody is asked now
        self.tried: set[str] = set()
        self.queued = False  # does it wait there in a queue?
        self.in_flight = 0  # how many others had a slot then
        self.silent = False  # has one that was asked not answered?
        self.waits = False  # was the app told that it waits?


class _Held:
    __slots__ = ("by", "ends", "key", "slot", "source", "told_at")

    def __init__(self, slot: int, key: str, source: int, by: str, ends: int) -> None:
        self.slot = slot
        self.key = key
        self.source = source
        self.by = by  # who has granted it
        self.ends = ends
        self.told_at = -LASTS


class SlotHolder:
    """What apps of one node ask for and hold. `patience` (ns) is for a node's first answer."""

    def __init__(
        self,
        around: SlotAround,
        places: SlotPlaces,
        silence: Silence,
        counts: SlotCounts,
        roads: SlotRoads,
    ) -> None:
        self._around = around
        self._places = places
        self._silence = silence
        self._counts = counts
        self._roads = roads
        self._asked: dict[int, _Asked] = {}
        self._held: dict[int, _Held] = {}  # told last at the end
        self._of: dict[int, dict[int, None]] = {}  # slots by app
        self._changed_at = -LASTS  # when who decides may have changed

    def __len__(self) -> int:
        return len(self._held)

    @property
    def asked(self) -> int:
        """How many questions have no answer yet."""
        return len(self._asked)

    @property
    def is_idle(self) -> bool:
        """Is nothing held and asked for?"""
        return not self._held and not self._asked

    # --- what apps say

    def ask(self, source: int, ask: SlotAsk, now: int) -> None:
        """Ask on behalf of an app, which hears of it until it has a last answer."""
        if ask.slot in self._held:
            self._take_over(ask.slot, source)
            held = self._held[ask.slot]
            answer = SlotAnswer(ask.slot, SlotState.GRANTED, held.by, "owner", 1)
            self._around.post(source, answer)
            return
        if len(self._asked) + len(self._held) >= MAX_HELD:
            why = f"{MAX_HELD:,} slots are held by apps of {self._around.name}, no more fit"
            self._counts.answers[SlotState.FAULT] += 1
            fault = SlotAnswer(ask.slot, SlotState.FAULT, self._around.name, "", 0, why=why)
            self._around.post(source, fault)
            return
        self._forget(ask.slot)
        asked = _Asked(source, ask, now + ask.wait * MILLISECOND)
        self._asked[ask.slot] = asked
        self._of.setdefault(source, {})[ask.slot] = None
        self._ask_next(asked, now)

    def hold(self, source: int, rows: Iterable[HeldRow], now: int) -> None:
        """Take over what an app held over another connection."""
        claimed: dict[str, list[HeldRow]] = {}
        for slot, key, ttl in rows:
            if slot in self._held:
                self._take_over(slot, source)
                continue
            self._forget(slot)
            if len(self._asked) + len(self._held) >= MAX_HELD:
                break
            decider = self._places.decider(key, now)
            held = self._keep(slot, key, source, decider, now + ttl * MILLISECOND)
            held.told_at = now
            if decider:
                claimed.setdefault(decider, []).append((slot, key, ttl))
        for name, some in claimed.items():
            self._roads.tell_held(name, some, now, claim=True)

    def free(self, source: int, rows: Iterable[FreedRow], now: int) -> None:
        """Free what an app doesn't hold or want any more; what isn't its own stays."""
        mine = self._of.get(source, {})
        self._free([slot for slot, _ in rows if slot in mine], FreedBy.RELEASED, now)

    def app_left(self, source: int, now: int) -> None:
        """Called when the link of an app broke: what it held is free."""
        self._free(list(self._of.get(source, ())), FreedBy.DISCONNECTED, now)

    def _free(self, slots: Iterable[int], by: FreedBy, now: int) -> None:
        freed: dict[str, list[FreedRow]] = {}
        for slot in slots:
            self._counts.freed[by] += slot in self._held
            for name, key in self._forget(slot, now):
                freed.setdefault(name, []).append((slot, key))
        for name, rows in freed.items():
            self._roads.tell_freed(name, rows, by, now)

    def _forget(self, slot: int, now: int = 0) -> list[tuple[str, str]]:
        """Forget a slot; return who is to know of it, each with its key."""
        if held := self._held.pop(slot, None):
            self._drop_of(held.source, slot)
            names = {self._places.decider(held.key, now), held.by} - {""}
            return [(name, held.key) for name in sorted(names)]
        if asked := self._asked.pop(slot, None):
            self._drop_of(asked.source, slot)
            names = {asked.to, *asked.tried} - {""}
            return [(name, asked.ask.key) for name in sorted(names)]
        return []

    def _drop_of(self, source: int, slot: int) -> None:
        mine = self._of[source]
        del mine[slot]
        if not mine:
            del self._of[source]

    def _keep(self, slot: int, key: str, source: int, by: str, ends: int) -> _Held:
        held = self._held[slot] = _Held(slot, key, source, by, ends)
        self._of.setdefault(source, {})[slot] = None
        return held

    def _take_over(self, slot: int, source: int) -> None:
        """Have an app's other connection hold it from now on."""
        held = self._held[slot]
        if held.source != source:
            self._drop_of(held.source, slot)
            held.source = source
            self._of.setdefault(source, {})[slot] = None

    # --- asking

    def _ask_next(self, asked: _Asked, now: int) -> None:
        """Ask who decides, of those who weren't asked; nobody is left: say so."""
        asked.again_at, asked.queued = 0, False
        name = asked.to = self._places.decider(asked.ask.key, now, asked.tried)
        if not name:
            self._end(asked, SlotAnswer(asked.ask.slot, SlotState.NOBODY, "", "", 0))
            return
        asked.at, asked.deadline = now, now + self._silence.patience
        left = max(asked.until - now, 0) // MILLISECOND
        stand_in = StandIn.SILENT if asked.silent else StandIn.NO
        me = self._around.name
        self._roads.ask(name, replace(asked.ask, wait=left, holder=me, stand_in=stand_in), now)

    def answered(self, answer: SlotAnswer, now: int, noted_by: str = "") -> None:
        """Handle an answer of who decides; the node by whose way it came may have noted it too."""
        asked = self._asked.get(answer.slot)
        if asked is None:
            if answer.state is SlotState.GRANTED:
                self._too_late(answer, now, noted_by)
            return
        match answer.state:
            case SlotState.GRANTED:
                self._granted(asked, answer, now, noted_by)
            case SlotState.WAITS:
                asked.queued, asked.in_flight = True, answer.in_flight
                asked.deadline = asked.until + self._silence.patience
                self._say_waits(asked, answer)
            case SlotState.NOBODY:
                asked.tried.add(asked.to)
                self._ask_next(asked, now)
            case SlotState.DENIED if asked.until > now:
                asked.to, asked.tried, asked.silent = "", set(), False
                asked.again_at = min(now + RETRY_EVERY, asked.until)
                self._say_waits(asked, answer)
            case _:
                self._end(asked, answer)

    def _too_late(self, answer: SlotAnswer, now: int, noted_by: str) -> None:
        """Give back what nobody wants any more, or what another node has given meanwhile."""
        held = self._held.get(answer.slot)
        # The key isn't known any more, and isn't needed: slots are freed by their ids.
        row = answer.slot, ""
        if held is None:
            for name in sorted({answer.node, noted_by} - {""}):
                self._roads.tell_freed(name, [row], FreedBy.RELEASED, now)
        elif answer.node not in {held.by, self._places.decider(held.key, now)}:
            self._roads.tell_freed(answer.node, [row], FreedBy.RELEASED, now, alone=True)

    def _granted(self, asked: _Asked, answer: SlotAnswer, now: int, noted_by: str) -> None:
        ends = now + asked.ask.ttl * MILLISECOND
        slot, key = asked.ask.slot, asked.ask.key
        self._end(asked, answer)
        self._tell_nobody_has(asked, now, but=(answer.node, noted_by))
        held = self._keep(slot, key, asked.source, answer.node, ends)
        held.told_at = now
        decider = self._places.decider(key, now)
        if decider not in {"", answer.node}:  # which is to know it before it decides itself
            self._roads.tell_held(decider, [(slot, key, asked.ask.ttl)], now, claim=False)

    def _say_waits(self, asked: _Asked, answer: SlotAnswer) -> None:
        if not asked.waits:
            asked.waits = True
            self._around.post(asked.source, replace(answer, state=SlotState.WAITS, holder=""))

    def _end(self, asked: _Asked, answer: SlotAnswer) -> None:
        del self._asked[asked.ask.slot]
        self._drop_of(asked.source, asked.ask.slot)
        self._counts.answers[answer.state] += 1
        self._around.post(asked.source, replace(answer, holder=""))

    # --- what happens

    def changed(self, now: int) -> None:
        """Called when others may decide now: tell them, and ask them."""
        self._changed_at = now
        self.tick(now)

    def node_left(self, name: str, now: int) -> None:
        """Called when the link to a node broke: who was asked there asks the next one."""
        for asked in list(self._asked.values()):
            if asked.to == name:
                asked.tried.add(name)
                self._ask_next(asked, now)
        self.changed(now)

    def tick(self, now: int) -> None:
        """Do what is due."""
        self._renew(now)
        for asked in list(self._asked.values()):
            if asked.again_at and asked.again_at <= now:
                self._ask_next(asked, now)
            elif not asked.again_at and asked.deadline <= now:
                self._overdue(asked, now)

    def _overdue(self, asked: _Asked, now: int) -> None:
        """Ask the next one; but who stood in a queue has waited in vain.

        It is the same slot, so who has granted it late does no harm.
        """
        if asked.queued:
            self._forget_asked(asked, now)
            return
        if self._places.decides_alone(asked.to, asked.ask.key, now):
            self._silence.noted(asked.to, asked.at, now)
        asked.silent = True
        asked.tried.add(asked.to)
        self._ask_next(asked, now)

    def _forget_asked(self, asked: _Asked, now: int) -> None:
        denied = SlotAnswer(asked.ask.slot, SlotState.DENIED, asked.to, "owner", asked.in_flight)
        self._tell_nobody_has(asked, now)
        self._end(asked, denied)

    def _tell_nobody_has(self, asked: _Asked, now: int, but: tuple[str, ...] = ()) -> None:
        """Have nobody who was asked keep this slot."""
        row = asked.ask.slot, asked.ask.key
        for name in sorted({asked.to, *asked.tried} - {"", *but}):
            self._roads.tell_freed(name, [row], FreedBy.RELEASED, now, alone=True)

    def _renew(self, now: int) -> None:
        """Say what is held, of which it wasn't said for a while, or not to who decides now."""
        held_by: dict[str, list[HeldRow]] = {}
        over: list[int] = []
        for held in self._due(now):
            if held.ends <= now:
                over.append(held.slot)
                continue
            del self._held[held.slot]
            self._held[held.slot] = held
            held.told_at = now
            if decider := self._places.decider(held.key, now):
                row = held.slot, held.key, (held.ends - now) // MILLISECOND
                held_by.setdefault(decider, []).append(row)
                if now - self._changed_at > LASTS:
                    held.by = decider
        for name, rows in held_by.items():
            self._roads.tell_held(name, rows, now, claim=False)
        if over:
            self._free(over, FreedBy.EXPIRED, now)

    def _due(self, now: int) -> list[_Held]:
        due: list[_Held] = []
        for held in self._held.values():
            is_due = held.told_at + RENEW_EVERY <= now or held.told_at <= self._changed_at
            if not is_due or len(due) >= RENEWED:
                break
            due.append(held)
        return due
