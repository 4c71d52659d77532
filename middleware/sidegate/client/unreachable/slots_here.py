"""Slots that this process gives by itself: of the mode "memory", and by its share of others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sidegate.buckets.limits import SECOND
from sidegate.client.unreachable.freeing import Freeing
from sidegate.forks import begins_in_children
from sidegate.slots.slot_table import SlotTable

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidegate.slots.slot_table import Wanted

HERE: Final = ""  # who holds all of them


class SlotsHere:
    """Slots for any number of threads and event loops. `clock` is in ns.

    Who waits is called from whichever thread has freed its slot.
    """

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._lock = Freeing(self._free)
        self._table = SlotTable()
        self._wakes: dict[int, Callable[[], None]] = {}
        begins_in_children(self)

    def begin_child(self) -> None:
        """Begin in a forked process, where nobody holds one, and a lock may be held for ever."""
        self._lock.begin_child()
        self._table, self._wakes = SlotTable(), {}

    def in_flight(self, key: str) -> int:
        """Return how many slots of a key are held."""
        with self._lock:
            self._table.expired_of(key, self._clock())
            return self._table.in_flight(key)

    def take(self, wanted: Wanted, wake: Callable[[], None] | None) -> bool:
        """Take a slot; is it held? If not, `wake` is called when it is. TooManySlots.

        Without `wake` nobody waits for it.
        """
        with self._lock:
            now = self._clock()
            self._expire(wanted.key, now)
            # Who has waited may hold it already, and mustn't have more time for it.
            if self._table.is_held(wanted.slot) or self._table.take(wanted, now):
                return True
            if wake is not None and self._table.wait(wanted):
                self._wakes[wanted.slot] = wake
            return False

    def free(self, slot: int) -> None:
        """Free a slot, or wait for it no more."""
        self._lock.free(slot)

    def _free(self, slot: int) -> None:
        self._wakes.pop(slot, None)
        _, served = self._table.free(slot, HERE, self._clock())
        self._wake(served)

    def next_end(self, key: str) -> float:
        """Return in how many seconds one of a key is free at the latest; infinity for never."""
        with self._lock:
            ends = [held.ends for held in self._table.held_of(key)]
            return max(min(ends) - self._clock(), 0) / SECOND if ends else float("inf")

    def look(self) -> None:
        """Have all who wait look again: time has moved."""
        with self._lock:
            now = self._clock()
            for wanted in self._table.waiters():
                self._expire(wanted.key, now)

    def _expire(self, key: str, now: int) -> None:
        if self._table.expired_of(key, now):
            self._wake(self._table.serve(key, now))

    def _wake(self, served: list[Wanted]) -> None:
        for wanted in served:
            if wake := self._wakes.pop(wanted.slot, None):
                wake()
