"""Shares: who holds how much of the memory, and who holds most."""

from sidegate.ledger import Payer

_LEVELS = 10  # bits: payers are told apart to 1/1,024 of the bound


class Shares:
    """What each payer holds, in bytes, and what all do.

    Finding the largest costs the same with 1,000 payers as with one, and while they are equal:
    they lie on levels, and only move when they get to another.
    """

    __slots__ = ("_levels", "_shift", "_top", "bytes")

    def __init__(self, max_memory: int) -> None:
        self.bytes = 0
        self._shift = max(max_memory.bit_length() - 1 - _LEVELS, 0)
        self._levels: dict[int, dict[Payer, None]] = {}
        self._top = 0

    def charge(self, payer: Payer, count: int) -> None:
        """Count so many bytes more of a payer, or less. One with none is forgotten."""
        self.bytes += count
        payer.bytes += count
        level = (payer.bytes >> self._shift) + 1 if payer.bytes else 0
        if level != payer.level:
            self._move(payer, level)

    def largest(self) -> Payer:
        """Return a payer of those that hold most, to within 1/1,024 of the bound."""
        return next(iter(self._levels[self._top]))

    def _move(self, payer: Payer, level: int) -> None:
        if payer.level:
            there = self._levels[payer.level]
            del there[payer]
            if not there:
                del self._levels[payer.level]
        payer.level = level
        if level:
            self._levels.setdefault(level, {})[payer] = None
        if level >= self._top:
            self._top = level
        elif self._top not in self._levels:
            self._top = max(self._levels, default=0)
