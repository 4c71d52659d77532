"""Due times: which buckets to look at when, because they may be full by then."""

from heapq import heappop, heappush

_FINEST = 27  # bits of ns: due times are whole multiples of 134 ms, or of more
# A due time is later than asked for by up to 1/16 of the wait. So there are 16 different ones for
# each doubling of the longest wait, fewer than 1,000 for all waits up to 146 years.
_BITS = 5
# Items in a sealed tuple. The collector's first look at new tuples is at 700 of them: 1 ms.
_SEALED = 64


def due_time(at: int, now: int) -> int:
    """Return `at` (ns, after `now`) rounded up, the more so the further away it is."""
    bits = max((at - now).bit_length() - _BITS, _FINEST)
    return ((at >> bits) + 1) << bits


class _Slot:
    """The entries of one due time: text, key, text, key, … in the order they came.

    All but the newest are sealed in tuples of nothing but str, which the garbage collector stops
    tracking: lists of 1,000,000 entries would cost each full collection 30 ms.
    """

    __slots__ = ("open", "sealed")

    def __init__(self) -> None:
        self.open: list[str] = []
        self.sealed: list[tuple[str, ...]] = []


class DueTimes:
    """Pairs of a limit's text and a key, given back in the order of their due times.

    An entry is never moved or removed, only popped: each step costs the same with 1,000,000
    entries as with one.
    """

    __slots__ = ("_slots", "_times")

    def __init__(self) -> None:
        self._slots: dict[int, _Slot] = {}
        self._times: list[int] = []  # the keys of _slots as a heap

    @property
    def next(self) -> int | None:
        """The earliest due time (ns), None when there is no entry."""
        return self._times[0] if self._times else None

    def push(self, at: int, now: int, text: str, key: str) -> None:
        """Add an entry that is due soon after `at` (ns)."""
        due = due_time(at, now)
        slot = self._slots.get(due)
        if slot is None:
            slot = self._slots[due] = _Slot()
            heappush(self._times, due)
        items = slot.open
        items.append(text)
        items.append(key)
        if len(items) >= _SEALED:
            slot.sealed.append(tuple(items))
            slot.open = []

    def pop(self) -> tuple[str, str]:
        """Take out one of the entries that are due first."""
        slot = self._slots[self._times[0]]
        if not slot.open:
            slot.open = list(slot.sealed.pop())
        key = slot.open.pop()
        text = slot.open.pop()
        if not slot.open and not slot.sealed:
            del self._slots[heappop(self._times)]
        return text, key
