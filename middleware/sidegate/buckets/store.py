"""Store: which buckets there are, when they are forgotten, and what they may take.

To forget full buckets without ever going through all of them, each key in a table has exactly
one entry in the due times, made when the key comes into the table, for the moment at which its
bucket would then be full. Later takes don't touch it. When the entry is due the bucket is looked
at: full and forgotten, or given a new entry. A bucket that becomes full before its time (refund,
reset) stays as a full one until then: were it removed, its entry would stay behind, and a key
that is taken and reset in turns would fill the memory with entries.

Memory is bounded in bytes, and `accounts` says whose buckets are to go when it is full.
"""

from collections.abc import Iterator

from sidegate.buckets.limits import Limit
from sidegate.buckets.tables.accounts import Accounts
from sidegate.buckets.tables.expiry import due_time
from sidegate.buckets.tables.footprint import LEDGER, SLOT, SPREAD, bytes_of
from sidegate.buckets.tables.ledger import Ledger, LedgerTable, PayerKind
from sidegate.buckets.tables.lent_buckets import LentBuckets
from sidegate.buckets.tables.listing import all_keys, in_debt, some_keys
from sidegate.buckets.windows import WindowClock

MAX_MEMORY = 256 << 20  # bytes: a million buckets with keys of 24 characters
MIN_MEMORY = 16 << 10  # bytes: several times what one bucket with the longest key takes
# Entries looked at to make room for one bucket: 100 µs. Each that was not to go has a later due
# time now, and isn't in the way again.
_LOOKS = 64
# The part of the bound that is only used while entries are in the way. All of them have been looked
# at by the time that it is full: one bucket more for each 64 looks.
_SLACK = 32
# The part of the bound that may be lost in fragments before keys are copied, and how many of them
# for each new bucket: 4 µs. While they are, an eighth more may be lost.
_LOST = 4
_COPIED = 8


class Store:
    """The tables of all limits. `now` is in ns, on any clock that starts at 0 and never goes back.

    They take at most `max_memory` bytes; at the bound, new buckets take the place of those of the
    rule and limit that hold most, of which the one goes that owes the smallest share of its burst
    (to within 1/16 of its debt, and 1/64 of the burst).
    """

    __slots__ = (
        "_accounts",
        "_copying",
        "_count",
        "_full",
        "_slack",
        "_tables",
        "_tolerated",
        "evicted",
        "lent",
        "max_memory",
        "windows",
    )

    def __init__(self, max_memory: int = MAX_MEMORY) -> None:
        if max_memory < MIN_MEMORY:
            raise ValueError(f"max_memory {max_memory}: expected at least {MIN_MEMORY} bytes")
        self.max_memory = max_memory
        self.windows = WindowClock()
        self.lent = LentBuckets()
        # Buckets forgotten at the bound while still in debt.
        self.evicted: dict[PayerKind, int] = dict.fromkeys(PayerKind, 0)
        self._count = 0
        self._tables: dict[str, LedgerTable] = {}  # by the text of their limit; none is empty
        self._accounts = Accounts(max_memory)
        self._slack = max_memory // _SLACK
        self._tolerated = max_memory // _LOST
        self._copying: Iterator[bool] | None = None  # all keys, while they are
        # What a bucket may bring with it has its room kept.
        self._full = max_memory - self._slack - min(LEDGER + SLOT + SPREAD, max_memory // 2)

    def __len__(self) -> int:
        return self._count

    @property
    def bytes(self) -> int:
        """What all buckets take."""
        return self._accounts.shares.bytes

    def largest(self) -> tuple[str, int]:
        """Say whose buckets take most, for people, and how many bytes; ("", 0) of no buckets."""
        return self._accounts.largest()

    def keys(self, most: int = 4_096) -> Iterator[tuple[str, list[str]]]:
        """Give all keys in lists of at most `most`, each with the text of its limit.

        The table may change between two lists: a key that is there all along is given once.
        """
        return all_keys(list(self._tables.values()), most)

    def sample(self, most: int) -> Iterator[tuple[str, list[str]]]:
        """Give about `most` keys, old and new ones alike; all if there are no more."""
        return some_keys(self._tables.values(), min(most / max(self._count, 1), 1.0))

    def export(self, now: int, most: int = 4_096) -> Iterator[list[tuple[str, Limit, int]]]:
        """Give all buckets in debt in lists of at most `most`: key, limit, debt (ns, rounded up).

        The debts are as of `now`, also in the lists asked for later. The table may change between
        two lists: a bucket that is there all along is given once.
        """
        return in_debt(list(self._tables.values()), now, most)

    def sweep(self, now: int, most: int) -> int:
        """Look at no more than `most` buckets that are due and forget the full ones: how many.

        0 when nothing is due. A look costs 1 µs, so slices of a few hundred are no pause.
        """
        accounts = self._accounts
        for looks in range(most):
            ledger = accounts.due(now)
            if ledger is None:
                return looks
            _, key = accounts.take(ledger)
            full_at = self._full_at(ledger.table, key, now)
            if full_at > now:
                accounts.put(ledger, key, full_at, now)
            else:
                self._forget(ledger, key)
        return most

    @staticmethod
    def _full_at(table: LedgerTable, key: str, now: int) -> int:
        """When the bucket is full again (ns, rounded up), also if it was put by."""
        full_at = abs(table.dict_of(key)[key])
        if table.window is not None:
            return table.window.forgotten_at(full_at, now)
        return to_ns(full_at, table.scale)

    def _create(self, key: str, limit: Limit, full_at: int, now: int) -> None:
        accounts = self._accounts
        size = bytes_of(key)
        if accounts.shares.bytes + size > self._full:
            self._make_room(size, now)
        # Not before there is room: the last bucket of a table takes it along.
        table = self._tables.get(limit.text)
        if table is None:
            window = None if limit.period is None else self.windows.of(limit.period)
            table = self._tables[limit.text] = LedgerTable(limit.whole, window)
        if table.add(key, full_at):
            accounts.shares.bytes += SPREAD
        self._count += 1
        at = to_ns(full_at, limit.scale)
        if table.window is not None:
            at = table.window.forgotten_at(full_at, now)
        accounts.enter(table, key, size, at, now)
        if self._copying is not None or accounts.fragments.lost > self._tolerated:
            self._copy_some()

    def _make_room(self, needed: int, now: int) -> None:
        shares = self._accounts.shares
        looks = _LOOKS
        while self._count and (over := shares.bytes + needed - self._full) > 0:
            looks -= 1
            if looks < 0 and over <= self._slack:
                break
            self._evict(now, at_once=looks < 0)

    def _evict(self, now: int, *, at_once: bool) -> None:
        """Look at the next bucket of who is to pay: forget it, or put it where it belongs now."""
        ledger = self._accounts.payer(now)
        due, key = self._accounts.take(ledger)
        full_at = self._full_at(ledger.table, key, now)
        if at_once or full_at <= now or due_time(full_at, now, ledger.due.finest) <= due:
            self.evicted[ledger.payer.kind] += full_at > now
            self._forget(ledger, key)
        else:  # it was taken from since
            self._accounts.put(ledger, key, full_at, now)

    def _copy_some(self) -> None:
        """Copy some more keys: done before a ninth as many buckets have come as there are."""
        if self._copying is None:
            self._copying = self._copy_all()
            self._accounts.fragments.mend()
        if next(self._copying, False) is False:
            self._copying = None

    def _copy_all(self) -> Iterator[bool]:
        for table in list(self._tables.values()):
            for ledger in list(table.ledgers.values()):
                for keys in ledger.due.copied():
                    for start in range(0, len(keys), _COPIED):
                        table.replace(keys[start : start + _COPIED])
                        yield True

    def _forget(self, ledger: Ledger, key: str) -> None:
        """Forget a bucket whose entry has been taken."""
        table = ledger.table
        table.remove(key)
        self._count -= 1
        self._accounts.leave(ledger, key)
        if self.lent:
            self.lent.disturb(table.limit.text, (key,))
        if not table.size:
            del self._tables[table.limit.text]
            if table.shards is not None:
                self._accounts.shares.bytes -= SPREAD


def to_ns(ticks: int, scale: int) -> int:
    """Return ticks of a limit of that scale in ns, rounded up."""
    return ticks if scale == 1 else -(-ticks // scale)
