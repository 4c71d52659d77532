"""Accounts: what the buckets of each rule under each limit take of the memory.

At the bound whoever holds most pays. So nobody can push out another's buckets but by holding less
than that one, and memory is shared out as fairly as can be: of n payers, one that takes no more
than 1/n of the bound loses nothing, whatever the others do.

A payer is a rule under a limit, and which rule that is a key says itself, by what is before its
first colon. There are at most 1,024, for else keys that begin with made-up names would make
everybody's share next to nothing; the rules that come after these pay together.
"""

from collections import OrderedDict
from collections.abc import Iterator
from heapq import heappop, heappush

from sidegate.buckets.tables.footprint import LEDGER, SLOT, bytes_of
from sidegate.buckets.tables.fragments import Fragments
from sidegate.buckets.tables.ledger import Ledger, LedgerTable, Payer, PayerKind, Shares

MAX_PAYERS = 1_024  # a share of 256 KiB for each, 1,000 buckets, if all memory is full of them


class Accounts:
    """Which buckets there are, what they take, whose turn it is at the bound, and what is due."""

    __slots__ = ("_own", "_planned", "_rest", "_times", "by_rule", "fragments", "shares")

    def __init__(self, max_memory: int) -> None:
        self.shares = Shares(max_memory)
        self.fragments = Fragments()
        self._own = 0  # payers for one ledger each
        self._rest = Payer(PayerKind.REST)
        # Which tables have a ledger of the rule, the latest one last; None: of all rest.
        self.by_rule: dict[str | None, dict[LedgerTable, None]] = {}
        self._planned: dict[int, OrderedDict[Ledger, None]] = {}  # who has something due when
        self._times: list[int] = []  # the keys of _planned as a heap

    # --- in and out

    def enter(self, table: LedgerTable, key: str, size: int, at: int, now: int) -> None:
        """Count a new bucket of so many bytes, which will be full at `at` (ns)."""
        rule = key[: key.find(":") + 1]
        ledger = table.ledgers.get(rule)
        if ledger is None:
            ledger = self._ledger_for(table, rule)
        shares, payer = self.shares, ledger.payer
        shares.bytes += size  # charge by hand
        payer.bytes += size
        if payer.bytes >> shares.shift != payer.level:
            shares.move(payer)
        self.fragments.enter(size)
        due = ledger.due.push(at, now, key)
        if due is not None:
            self._plan(ledger, due)

    def leave(self, ledger: Ledger, key: str) -> None:
        """Count a bucket out whose entry has been taken."""
        shares, payer = self.shares, ledger.payer
        size = bytes_of(key)
        shares.bytes -= size  # charge by hand
        payer.bytes -= size
        if payer.bytes >> shares.shift != payer.level:
            shares.move(payer)
        self.fragments.leave(size)
        if not ledger.due.times:
            self._close(ledger)

    # --- in their order

    def take(self, ledger: Ledger) -> tuple[int, str]:
        """Take out the first entry of a ledger: its due time (ns), and its key.

        Put it back, or have the bucket leave.
        """
        due, key, was_last = ledger.due.pop()
        if was_last:
            self._unplan(ledger, due)
        return due, key

    def put(self, ledger: Ledger, key: str, at: int, now: int) -> None:
        """Put back an entry that was taken: its bucket will be full at `at` (ns)."""
        due = ledger.due.push(at, now, key)
        if due is not None:
            self._plan(ledger, due)

    def due(self, now: int) -> Ledger | None:
        """Return a ledger whose first entry is due, None when there is none."""
        times = self._times
        while times and times[0] <= now:
            planned = self._planned[times[0]]
            if planned:
                return next(iter(planned))
            del self._planned[heappop(times)]
        return None

    def payer(self, now: int) -> Ledger:
        """Return the ledger that is to give up a bucket; there must be one."""
        return self.shares.largest().lightest(now)

    def largest(self) -> tuple[str, int]:
        """Say who holds most, for people, and how many bytes; ("", 0) if there is nobody."""
        if not self.shares.bytes:
            return "", 0
        payer = self.shares.largest()
        return str(payer), payer.bytes

    # --- ledgers

    def tables_of(self, key: str) -> Iterator[LedgerTable]:
        """Give the tables that may have this key, each once; of its rule the latest first."""
        of_rule = self.by_rule.get(key[: key.find(":") + 1], {})
        yield from reversed(of_rule)
        for table in reversed(self.by_rule.get(None, {})):
            if table not in of_rule:
                yield table

    def _ledger_for(self, table: LedgerTable, rule: str) -> Ledger:
        """Open a ledger for a rule; or return that of the rest, if there are too many."""
        if self._own < MAX_PAYERS:
            payer = Payer(PayerKind.RULE if rule else PayerKind.KEYS)
            return self._open(Ledger(table, rule, payer))
        found = table.ledgers.get(None)
        return self._open(Ledger(table, None, self._rest)) if found is None else found

    def _open(self, ledger: Ledger) -> Ledger:
        ledger.table.ledgers[ledger.rule] = ledger
        self.by_rule.setdefault(ledger.rule, {})[ledger.table] = None
        self._own += ledger.payer is not self._rest
        ledger.payer.add(ledger)
        self.shares.charge(ledger.payer, _ledger_bytes(ledger))
        return ledger

    def _close(self, ledger: Ledger) -> None:
        del ledger.table.ledgers[ledger.rule]
        tables = self.by_rule[ledger.rule]
        del tables[ledger.table]
        if not tables:
            del self.by_rule[ledger.rule]
        self._own -= ledger.payer is not self._rest
        ledger.payer.remove(ledger)
        self.shares.charge(ledger.payer, -_ledger_bytes(ledger))

    def _plan(self, ledger: Ledger, due: int) -> None:
        self.shares.charge(ledger.payer, SLOT)
        planned = self._planned.get(due)
        if planned is None:
            planned = self._planned[due] = OrderedDict()
            heappush(self._times, due)
        planned[ledger] = None

    def _unplan(self, ledger: Ledger, due: int) -> None:
        self.shares.charge(ledger.payer, -SLOT)
        del self._planned[due][ledger]  # the time stays, until it has come


def _ledger_bytes(ledger: Ledger) -> int:
    return LEDGER + (bytes_of(ledger.rule) if ledger.rule else 0)
