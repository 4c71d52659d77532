"""A table of slots: which are held, by whom and until when, and who waits for one. Pure.

A slot is known by its id. It is freed by that and never by a count, so what is freed twice, late,
or by somebody else frees nothing of anybody's. `now` and all other times are in ns.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from sidegate.errors import TooManySlots

MAX_SLOTS: Final = 65_536  # of all keys: requests that run at the same time, in a large cluster
MAX_BYTES: Final = 48 << 20  # of them and their keys; of so many keys of 24 characters it is 43
MAX_WAITING: Final = 16_384  # of all keys, and
MAX_WAITING_FOR_KEY: Final = 1_024  # of one: who comes later would wait for as many to end
_SLOT_BYTES: Final = 240  # with its places in two dicts (CPython 3.11)
_KEY_BYTES: Final = 420  # with its two dicts
_WIDEST: Final = 4  # bytes of a character in a text that isn't ASCII, at most


class Wanted(NamedTuple):
    """A slot that somebody asks for: one of `at_most` of a key."""

    slot: int
    key: str
    at_most: int
    holder: str  # who says that it is held, and that it isn't
    lasts: int  # for so long it is held unless it is renewed
    until: int = 0  # how long it is waited for


class HeldSlot:
    """A slot that is held."""

    __slots__ = ("ends", "holder", "of", "slot")

    def __init__(self, slot: int, of: _KeySlots, holder: str, ends: int) -> None:
        self.slot = slot
        self.of = of
        self.holder = holder
        self.ends = ends

    @property
    def key(self) -> str:
        """The key that it is one of."""
        return self.of.key


class _KeySlots:
    __slots__ = ("held", "key", "queue")

    def __init__(self, key: str) -> None:
        self.key = key
        self.held: dict[int, HeldSlot] = {}
        self.queue: dict[int, Wanted] = {}  # in the order in which they came


def _key_bytes(key: str) -> int:
    return _KEY_BYTES + len(key) * (1 if key.isascii() else _WIDEST)


class SlotTable:
    """The slots of many keys, within bounds of their number and bytes."""

    def __init__(self, max_slots: int = MAX_SLOTS, max_bytes: int = MAX_BYTES) -> None:
        self._max_slots = max_slots
        self._max_bytes = max_bytes
        self._keys: dict[str, _KeySlots] = {}
        self._slots: dict[int, HeldSlot] = {}  # renewed last at the end
        self._waiting: dict[int, str] = {}
        self._first_until = 0  # until when nobody has waited for too long
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._slots)

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def in_flight(self, key: str) -> int:
        """Return how many slots of a key are held."""
        slots = self._keys.get(key)
        return len(slots.held) if slots else 0

    def is_held(self, slot: int) -> bool:
        """Is a slot held?"""
        return slot in self._slots

    def all_held(self) -> list[HeldSlot]:
        """Return all slots that are held."""
        return list(self._slots.values())

    def held_of(self, key: str) -> list[HeldSlot]:
        """Return the slots of a key that are held."""
        slots = self._keys.get(key)
        return list(slots.held.values()) if slots else []

    # --- taking

    def take(self, wanted: Wanted, now: int) -> bool:
        """Take a slot if one is free and nobody waits for it; is it held now?

        One that is held already is renewed. TooManySlots if the table is full.
        """
        slots = self._keys.get(wanted.key)
        if slots is None or wanted.slot not in slots.held:
            if slots and (slots.queue or len(slots.held) >= wanted.at_most):
                return False
            self._require_room(wanted.key)
        self.hold(wanted.slot, wanted.key, wanted.holder, now + wanted.lasts)
        return True

    def renew(self, slot: int, key: str, holder: str, ends: int) -> bool:
        """Have a slot held for longer, unless somebody else holds it by now; see `hold`."""
        known = self._slots.get(slot)
        if known is not None and known.holder != holder:
            return True
        return self.hold(slot, key, holder, ends)

    def hold(self, slot: int, key: str, holder: str, ends: int) -> bool:
        """Have a slot held, or held for longer, however many are; False if there is no room.

        It ends no earlier than all others: who renews gives all of them the same time.
        """
        if known := self._slots.get(slot):
            if known.key == key:
                del self._slots[slot]
                self._slots[slot] = known
                known.holder, known.ends = holder, ends
                return True
            self._drop(known)  # nobody gives one id to two
        if self._is_full(key):
            return False
        self._forget_waiting(slot)
        of = self._of(key)
        self._slots[slot] = of.held[slot] = HeldSlot(slot, of, holder, ends)
        self.bytes += _SLOT_BYTES
        return True

    def _of(self, key: str) -> _KeySlots:
        slots = self._keys.get(key)
        if slots is None:
            slots = self._keys[key] = _KeySlots(key)
            self.bytes += _key_bytes(key)
        return slots

    def _require_room(self, key: str) -> None:
        if self._is_full(key):
            raise TooManySlots(len(self._slots), self.bytes)

    def _is_full(self, key: str) -> bool:
        more = _SLOT_BYTES + (0 if key in self._keys else _key_bytes(key))
        return len(self._slots) >= self._max_slots or self.bytes + more > self._max_bytes

    # --- waiting

    def wait(self, wanted: Wanted) -> bool:
        """Have somebody wait behind the others for a slot of the key; False if too many do."""
        slots = self._keys.get(wanted.key)
        if slots is None:
            return False  # none is held, so none will be freed
        if self._waiting.get(wanted.slot, wanted.key) != wanted.key:
            self._forget_waiting(wanted.slot)  # nobody gives one id to two
        if wanted.slot not in slots.queue:
            if len(self._waiting) >= MAX_WAITING or len(slots.queue) >= MAX_WAITING_FOR_KEY:
                return False
            self.bytes += _SLOT_BYTES
        if not self._waiting or wanted.until < self._first_until:
            self._first_until = wanted.until
        slots.queue[wanted.slot] = wanted
        self._waiting[wanted.slot] = wanted.key
        return True

    def waiters(self) -> list[Wanted]:
        """Return all who wait."""
        return [self._keys[key].queue[slot] for slot, key in self._waiting.items()]

    def is_waiting(self, slot: int) -> bool:
        """Does somebody wait for it?"""
        return slot in self._waiting

    def _forget_waiting(self, slot: int) -> None:
        key = self._waiting.pop(slot, None)
        if key is not None:
            slots = self._keys[key]
            del slots.queue[slot]
            self.bytes -= _SLOT_BYTES
            self._tidy(slots)

    def _tidy(self, slots: _KeySlots) -> None:
        if not slots.held and not slots.queue and slots.key in self._keys:
            del self._keys[slots.key]
            self.bytes -= _key_bytes(slots.key)

    # --- freeing

    def free(self, slot: int, holder: str, now: int) -> tuple[bool, list[Wanted]]:
        """Free a slot, or forget who waits for it; was it held, and who has got one now?

        One that somebody else holds by now stays.
        """
        known = self._slots.get(slot)
        if known is None:
            return False, self._give_up(slot, holder, now)
        if known.holder != holder:
            return False, []
        self._drop(known)
        return True, self.serve(known.key, now)

    def _give_up(self, slot: int, holder: str, now: int) -> list[Wanted]:
        """Forget who waits; others may have waited behind it only."""
        key = self._waiting.get(slot)
        if key is None or self._keys[key].queue[slot].holder != holder:
            return []
        self._forget_waiting(slot)
        return self.serve(key, now)

    def _drop(self, held: HeldSlot) -> None:
        del self._slots[held.slot]
        del held.of.held[held.slot]
        self.bytes -= _SLOT_BYTES
        self._tidy(held.of)

    def expired(self, now: int) -> list[HeldSlot]:
        """Free the slots whose time is over, where all last equally long from when renewed."""
        over: list[HeldSlot] = []
        while self._slots:
            held = next(iter(self._slots.values()))
            if held.ends > now:
                break
            self._drop(held)
            over.append(held)
        return over

    def expired_of(self, key: str, now: int) -> list[HeldSlot]:
        """Free the slots of a key whose time is over."""
        over = [held for held in self.held_of(key) if held.ends <= now]
        for held in over:
            self._drop(held)
        return over

    def overdue(self, now: int) -> list[Wanted]:
        """Forget those who have waited for as long as they would; return them.

        Others may have waited behind them only: `serve` their keys.
        """
        if not self._waiting or now < self._first_until:  # so most looks cost nothing
            return []
        waiting = self.waiters()
        over = [wanted for wanted in waiting if wanted.until <= now]
        for wanted in over:
            self._forget_waiting(wanted.slot)
        self._first_until = min((it.until for it in waiting if it.until > now), default=0)
        return over

    def leave_queue(self, slot: int) -> None:
        """Forget who waits for a slot."""
        self._forget_waiting(slot)

    def forget_waiters(self, holder: str) -> list[Wanted]:
        """Forget all that somebody waits for, who isn't there any more; see `overdue`."""
        gone = [wanted for wanted in self.waiters() if wanted.holder == holder]
        for wanted in gone:
            self._forget_waiting(wanted.slot)
        return gone

    def extend(self, by: int) -> None:
        """Have all that is held last for so much longer: nobody could renew it meanwhile."""
        for held in self._slots.values():
            held.ends += by

    def serve(self, key: str, now: int) -> list[Wanted]:
        """Have those who wait for a key get what is free, in their order; return who has."""
        served: list[Wanted] = []
        while (slots := self._keys.get(key)) and slots.queue:
            wanted = next(iter(slots.queue.values()))
            if len(slots.held) >= wanted.at_most or self._is_full(key):
                break
            self.hold(wanted.slot, key, wanted.holder, now + wanted.lasts)
            served.append(wanted)
        return served
