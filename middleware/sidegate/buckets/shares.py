"""Shares: who holds how much of the memory, and who holds most."""

from sidegate.buckets.ledger import NOWHERE, Payer

_LEVELS = 10  # bits: payers are told apart to 1/1,024 of the bound


class Shares:
    """What each payer holds, in bytes, and what all do.

    Finding the largest costs the same with 1,000 payers as with one, and while they are equal:
    they lie on levels, and only move when they get to another.
    """

    __slots__ = ("_levels", "_top", "bytes", "shift")

    def __init__(self, max_memory: int) -> None:
        self.bytes = 0
        self.shift = max(max_memory.bit_length() - 1 - _LEVELS, 0)  # from bytes to a level
        self._levels: dict[int, dict[Payer, None]] = {}
        self._top = NOWHERE

    def charge(self, payer: Payer, count: int) -> None:
        """Count so many bytes more of a payer, or less."""
        self.bytes += count
        payer.bytes += count
        if payer.bytes >> self.shift != payer.level or not payer.bytes:
            self.move(payer)

    def largest(self) -> Payer:
        """Return a payer of those that hold most, to within 1/1,024 of the bound."""
        return next(iter(self._levels[self._top]))

    def move(self, payer: Payer) -> None:
        """Put a payer on the level of what it holds; one that holds nothing is none any more."""
        if payer.level != NOWHERE:
            there = self._levels[payer.level]
            del there[payer]
            if not there:
                del self._levels[payer.level]
        payer.level = payer.bytes >> self.shift if payer.bytes else NOWHERE
        if payer.bytes:
            self._levels.setdefault(payer.level, {})[payer] = None
        if payer.level >= self._top:
            self._top = payer.level
        elif self._top not in self._levels:
            self._top = max(self._levels, default=NOWHERE)
