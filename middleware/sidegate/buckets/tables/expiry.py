"""Due times: which buckets to look at when, because they may be full by then."""

from collections.abc import Iterator, Sequence
from heapq import heappop, heappush

_COARSEST = 27  # bits of ns: due times are whole multiples of 134 ms, or of more
# A due time is later than asked for by up to 1/16 of the wait. So there are 16 different ones for
# each doubling of the longest wait, fewer than 1,000 for all waits up to 146 years.
_BITS = 5
# Limits that refill within seconds have finer ones, 64 to 128 for a whole burst.
_PARTS = 7
# Items in a sealed tuple. The collector's first look at new tuples is at 700 of them: 1 ms.
_SEALED = 64


def finest_for(longest: int) -> int:
    """Return the bits of ns to which due times are told apart where no wait is over `longest`."""
    return min(max(longest.bit_length() - _PARTS, 0), _COARSEST)


def due_time(at: int, now: int, finest: int = _COARSEST) -> int:
    """Return `at` (ns, after `now`) rounded up, the more so the further away it is."""
    bits = max((at - now).bit_length() - _BITS, finest)
    return ((at >> bits) + 1) << bits


class _Slot:
    """The keys of one due time, in the order they came.

    All but the newest and the oldest are sealed in tuples of nothing but str, which the garbage
    collector stops tracking: lists of 1,000,000 keys would cost each full collection 30 ms.
    """

    __slots__ = ("begun", "head", "open", "sealed")

    def __init__(self) -> None:
        self.open: list[str] = []  # the newest
        self.sealed: list[tuple[str, ...]] = []
        self.begun = 0  # tuples of these that are in use or used up
        self.head: list[str] = []  # the oldest, back to front

    def seal(self) -> None:
        self.sealed.append(tuple(self.open))
        self.open = []

    def begin(self) -> None:
        if not self.sealed:
            self.head, self.open = self.open[::-1], self.head
            return
        self.head = list(reversed(self.sealed[self.begun]))
        self.sealed[self.begun] = ()  # else it would keep keys that are gone
        self.begun += 1
        if self.begun * 2 >= len(self.sealed):  # seldom: each moves once for each that goes
            del self.sealed[: self.begun]
            self.begun = 0

    def copied(self) -> Iterator[list[str]]:
        """Put copies in the place of the keys, some at a time: give these."""
        at = 0
        while at < len(self.sealed):
            if keys := copies(self.sealed[at]):
                self.sealed[at] = tuple(keys)
                yield keys
            at += 1
        for keys in (self.head, self.open):
            keys[:] = copies(keys)
            yield keys.copy()


class DueTimes:
    """Keys, given back in the order of their due times, and of one due time the first one first.

    No wait is over `longest` ns. An entry is never moved or removed, only popped: each step costs
    the same with 1,000,000 entries as with one. `times` are the due times as a heap, the earliest
    first.
    """

    __slots__ = ("_slots", "finest", "times")

    def __init__(self, longest: int = 2**62) -> None:
        self.finest = finest_for(longest)
        self._slots: dict[int, _Slot] = {}
        self.times: list[int] = []  # ns, the keys of _slots

    def push(self, at: int, now: int, key: str) -> int | None:
        """Add an entry that is due soon after `at` (ns): its due time if no other entry has it."""
        bits = (at - now).bit_length() - _BITS  # due_time by hand: a third of the time
        if bits < self.finest:  # noqa: PLR1730  # half the time of max
            bits = self.finest
        due = ((at >> bits) + 1) << bits
        slot = self._slots.get(due)
        if slot is None:
            slot = self._slots[due] = _Slot()
            slot.open.append(key)
            heappush(self.times, due)
            return due
        slot.open.append(key)
        if len(slot.open) >= _SEALED:
            slot.seal()
        return None

    def pop(self) -> tuple[int, str, bool]:
        """Take out the first of the entries that are due first.

        Its due time, its key, and whether it was the last of that time.
        """
        due = self.times[0]
        slot = self._slots[due]
        if not slot.head:
            slot.begin()
        key = slot.head.pop()
        if slot.head or slot.open or slot.sealed:
            return due, key, False
        del self._slots[heappop(self.times)]
        return due, key, True

    def copied(self) -> Iterator[list[str]]:
        """Put copies in the place of all keys, up to 64 at a time: give these.

        Entries may come and go meanwhile; of those that come some aren't copied.
        """
        for due in list(self._slots):
            slot = self._slots.get(due)
            if slot is not None:
                yield from slot.copied()


def copies(keys: Sequence[str]) -> list[str]:
    """Return the same texts in new places of the memory."""
    return [(key + " ")[:-1] for key in keys]
