"""Ledgers: the buckets of one rule under one limit, and who of all pays when memory is full."""

from __future__ import annotations

from collections import OrderedDict
from enum import StrEnum
from typing import TYPE_CHECKING

from sidegate.buckets.tables.expiry import DueTimes
from sidegate.buckets.tables.shards import Table

if TYPE_CHECKING:
    from sidegate.buckets.limits import Limit
    from sidegate.buckets.windows import CurrentWindow

_NOWHERE = -1  # the level of a payer that holds nothing
_LEVELS = 10  # bits: payers are told apart to 1/1,024 of the bound
_COMPARED = 8  # ledgers of the rest that are compared to find the one to take from: 4 µs


class PayerKind(StrEnum):
    """Who gave up buckets at the bound."""

    RULE = "rule"  # one rule under one limit
    KEYS = "keys"  # keys that name no rule, under one limit
    REST = "rest"  # the rules for which there was no ledger of their own any more


class Payer:
    """One of those among whom memory is shared out: a ledger, or all those of the rest.

    `bytes` is what its buckets take.
    """

    __slots__ = ("_ledgers", "bytes", "kind", "level")

    def __init__(self, kind: PayerKind) -> None:
        self.kind = kind
        self.bytes = 0
        self.level = _NOWHERE  # in Shares
        self._ledgers: OrderedDict[Ledger, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._ledgers)

    def add(self, ledger: Ledger) -> None:
        """Count a ledger in."""
        self._ledgers[ledger] = None

    def remove(self, ledger: Ledger) -> None:
        """Count a ledger out."""
        del self._ledgers[ledger]

    def lightest(self, now: int) -> Ledger:
        """Return the ledger whose first bucket owes the smallest share of its burst.

        Of the rest, whose ledgers may be many, eight are compared, others each time.
        """
        ledgers = self._ledgers
        if len(ledgers) == 1:
            return next(iter(ledgers))
        some: list[Ledger] = []
        for _ in range(min(len(ledgers), _COMPARED)):
            ledger = next(iter(ledgers))
            ledgers.move_to_end(ledger)
            some.append(ledger)
        return min(some, key=lambda it: it.least_share(now))

    def __str__(self) -> str:
        """Say whose buckets these are, for people."""
        if self.kind is PayerKind.REST:
            return f"{len(self._ledgers)} limits of further rules"
        return str(next(iter(self._ledgers)))


class LedgerTable(Table):
    """A table, and the ledgers of the rules whose buckets are there."""

    __slots__ = ("ledgers",)

    def __init__(self, limit: Limit, window: CurrentWindow | None = None) -> None:
        super().__init__(limit, window)
        self.ledgers: dict[str | None, Ledger] = {}  # None: of the rules without their own


class Ledger:
    """The buckets of one rule under one limit, in the order in which they become full.

    Under one limit, that is the order of the shares of their bursts that they owe.
    """

    __slots__ = ("due", "payer", "rule", "table")

    def __init__(self, table: LedgerTable, rule: str | None, payer: Payer) -> None:
        self.table = table
        self.rule = rule  # what its keys begin with, up to the first colon; None for all others
        self.payer = payer
        self.due = DueTimes(table.capacity // table.scale + 1)

    def least_share(self, now: int) -> float:
        """Return the share of the burst that the first bucket owes, as far as its entry says."""
        window = self.table.window
        whole_at = now if window is None else now + window.left(now)  # is kept longer by its share
        return (self.due.times[0] - whole_at) * self.table.scale / self.table.capacity

    def __str__(self) -> str:
        """Say whose buckets these are, for people."""
        limit = self.table.limit.text
        return f"rule {self.rule[:-1]!r}, {limit}" if self.rule else f"keys of no rule, {limit}"


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
        self._top = _NOWHERE

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
        if payer.level != _NOWHERE:
            there = self._levels[payer.level]
            del there[payer]
            if not there:
                del self._levels[payer.level]
        payer.level = payer.bytes >> self.shift if payer.bytes else _NOWHERE
        if payer.bytes:
            self._levels.setdefault(payer.level, {})[payer] = None
        if payer.level >= self._top:
            self._top = payer.level
        elif self._top not in self._levels:
            self._top = max(self._levels, default=_NOWHERE)
