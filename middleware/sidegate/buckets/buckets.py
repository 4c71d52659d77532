"""Buckets: who may have a token, decided by one number for each key and limit.

A bucket is the moment at which it will be full again. A token moves that moment one interval
further away, a request is denied when it would be further away than a whole burst takes to
refill, and time does the refilling by passing. So a full bucket is the same as no bucket, and
memory holds only keys in debt.

Everything is counted in ticks of the limit (`Limit.scale` of them are 1 ns), as whole numbers:
nothing is ever rounded, and the table decides as exact fractions would. What leaves it as a
debt is in nanoseconds, rounded up.

To forget full buckets without ever going through all of them, each key in a table has exactly
one entry in the due times, made when the key comes into the table, for the moment at which its
bucket would then be full. Later takes don't touch it. When the entry is due the bucket is looked
at: full and forgotten, or given a new entry. A bucket that becomes full before its time (refund,
reset) stays as a full one until then: were it removed, its entry would stay behind, and a key
that is taken and reset in turns would fill the memory with entries.

Memory is bounded in bytes, and `accounts` says whose buckets are to go when it is full.
"""

from collections.abc import Iterable, Iterator, Sequence

from sidegate.buckets.accounts import Accounts
from sidegate.buckets.expiry import due_time
from sidegate.buckets.footprint import LEDGER, SLOT, SPREAD, bytes_of
from sidegate.buckets.ledger import Ledger, PayerKind
from sidegate.buckets.limits import Limit, Limits, require_cost
from sidegate.buckets.listing import all_keys, in_debt, some_keys
from sidegate.buckets.shards import SHIFT, Table
from sidegate.errors import CostError

# Full whatever the time is: `now` is never negative.
_FULL = 0
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


_Place = dict[str, int] | None  # where a key is found under one limit, None when it isn't there


class Buckets:
    """All buckets of a node. `now` is in ns, on any clock that starts at 0 and never goes back.

    They take at most `max_memory` bytes; a bucket is one key under one limit. At the bound, new
    buckets take the place of those of the rule and limit that hold most, of which the one goes
    that owes the smallest share of its burst (to within 1/16 of its debt, and 1/64 of the burst).
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
        "max_memory",
    )

    def __init__(self, max_memory: int = MAX_MEMORY) -> None:
        if max_memory < MIN_MEMORY:
            raise ValueError(f"max_memory {max_memory}: expected at least {MIN_MEMORY} bytes")
        self.max_memory = max_memory
        # Buckets forgotten at the bound while still in debt.
        self.evicted: dict[PayerKind, int] = dict.fromkeys(PayerKind, 0)
        self._count = 0
        self._tables: dict[str, Table] = {}  # by the text of their limit; none is empty
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

    def take(self, key: str, limits: Limits, cost: int, now: int) -> tuple[bool, list[int]]:
        """Charge `cost` tokens to every limit, or to none: whether they were charged, and debts.

        The debts are the ns until each limit's bucket is full, after the charge, rounded up.
        A cost of 0 only looks. CostError for a cost that can never pass.
        """
        # The common case, one limit, by hand: half the time of _take.
        table = self._tables.get(limits.text)
        if table is None or cost < 1:
            return self._take(key, limits, cost, now)
        shards = table.shards
        held = table.one if shards is None else shards[hash(key) >> SHIFT]
        full_at = held.get(key)
        if full_at is None:
            return self._take_first(key, table.limit, cost, now)
        scale = table.scale
        ticks = now * scale
        debt = full_at - ticks if full_at > ticks else 0
        after = debt + cost * table.interval
        if after > table.capacity:
            if cost > limits.smallest_burst:
                raise CostError(cost, limits.smallest_burst)
            return False, [debt if scale == 1 else -(-debt // scale)]
        held[key] = ticks + after
        return True, [after if scale == 1 else -(-after // scale)]

    def _take_first(self, key: str, limit: Limit, cost: int, now: int) -> tuple[bool, list[int]]:
        """Take from a full bucket, which allows all that is no error."""
        if cost > limit.burst:
            raise CostError(cost, limit.burst)
        debt = cost * limit.interval
        self._create(key, limit, now * limit.scale + debt, now)
        return True, [_ns(debt, limit.scale)]

    def _take(self, key: str, limits: Limits, cost: int, now: int) -> tuple[bool, list[int]]:
        # Still plain: zip, max, comprehensions and small methods would double the time.
        if not 0 <= cost <= limits.smallest_burst:
            raise CostError(cost, limits.smallest_burst)
        allowed = True
        places: list[_Place] = []
        debts: list[int] = []
        for limit in limits.items:
            debt = 0
            place = None
            table = self._tables.get(limit.text)
            if table is not None:
                shards = table.shards
                place = table.one if shards is None else shards[hash(key) >> SHIFT]
                full_at = place.get(key)
                if full_at is None:
                    place = None
                elif full_at > now * limit.scale:
                    debt = full_at - now * limit.scale
            debt += cost * limit.interval
            if debt > limit.capacity:
                allowed = False
            places.append(place)
            debts.append(debt)
        if not allowed:
            debts = [debts[at] - cost * limit.interval for at, limit in enumerate(limits.items)]
        elif cost:
            self._put_all(key, limits, places, debts, now)
        return allowed, _in_ns(debts, limits)

    def _put_all(
        self, key: str, limits: Limits, places: list[_Place], debts: list[int], now: int
    ) -> None:
        """Set the debts (ticks) of a key's buckets, which were found in `places`."""
        for at, limit in enumerate(limits.items):
            place = places[at]
            if place is not None:
                place[key] = now * limit.scale + debts[at]
        if None in places:  # last, for a new bucket may need the room of one of the others
            for at, limit in enumerate(limits.items):
                if places[at] is None:
                    self._create(key, limit, now * limit.scale + debts[at], now)

    def refund(self, key: str, limits: Limits, cost: int, now: int) -> list[int]:
        """Give back `cost` tokens to every limit, none beyond full: debts as `take` gives them."""
        require_cost(cost, limits)
        debts = [self._debt(key, limit, now) for limit in limits.items]
        for at, limit in enumerate(limits.items):
            if debts[at]:
                debts[at] = max(debts[at] - cost * limit.interval, 0)
                self._put(key, limit, debts[at], now)
        return _in_ns(debts, limits)

    def reset(self, key: str) -> int:
        """Make all buckets of the key full; how many there were."""
        dicts = [table.dict_of(key) for table in self._tables_of(key)]
        known = [held for held in dicts if held.get(key)]
        for held in known:
            held[key] = _FULL
        return len(known)

    def held(self, key: str, now: int) -> list[tuple[Limit, int]]:
        """Return the limits under which the key is in debt, and its debts (ns, rounded up)."""
        limits = [table.limit for table in self._tables_of(key)]
        debts = [(limit, _ns(self._debt(key, limit, now), limit.scale)) for limit in limits]
        return [(limit, debt) for limit, debt in debts if debt]

    def _tables_of(self, key: str) -> list[Table]:
        """Return the tables that have this key; 40 ns for each there is, without a call of ours."""
        shard = hash(key) >> SHIFT
        return [
            table
            for table in self._tables.values()
            if key in (table.one if table.shards is None else table.shards[shard])
        ]

    def merge(self, key: str, limit: Limit, debt: int, now: int) -> None:
        """Take over a bucket from another node: the larger of its debt (ns) and ours counts."""
        theirs = min(debt * limit.scale, limit.capacity)
        if theirs > self._debt(key, limit, now):
            self._put(key, limit, theirs, now)

    def change(self, key: str, limit: Limit, ticks: int, now: int) -> int:
        """Change a debt by so many ticks, up or down, as far as it stays 0 to the capacity.

        Return the ticks that this left out above it.
        """
        debt = self._debt(key, limit, now) + ticks
        fitting = min(max(debt, 0), limit.capacity)
        if fitting or self._place(key, limit) is not None:
            self._put(key, limit, fitting, now)
        return max(debt - limit.capacity, 0)

    def merge_all(self, limit: Limit, keys: Sequence[str], debts: Sequence[int], now: int) -> None:
        """Merge many buckets of one limit, each debt (ns) that of its key."""
        ticks, scale, capacity, text = now * limit.scale, limit.scale, limit.capacity, limit.text
        table = self._tables.get(text)
        for key, debt in zip(keys, debts, strict=True):
            full_at = ticks + min(debt * scale, capacity)
            if table is None:
                known = None
            else:
                shards = table.shards
                held = table.one if shards is None else shards[hash(key) >> SHIFT]
                known = held.get(key)
                if known is not None and full_at > known:
                    held[key] = full_at
            if known is None and debt:
                self._create(key, limit, full_at, now)
                table = self._tables.get(text)  # it may be new, or have gone to make room

    def debts(
        self, text: str, keys: Iterable[str], now: int, least: int
    ) -> tuple[list[str], list[int]]:
        """Return the keys that owe more than `least` ns under a limit, and their debts (ns)."""
        table = self._tables.get(text)
        found: list[str] = []
        debts: list[int] = []
        if table is None:
            return found, debts
        one, shards, scale = table.one, table.shards, table.scale
        for key in keys:  # still plain: a call for each key would double the time
            full_at = (one if shards is None else shards[hash(key) >> SHIFT]).get(key, _FULL)
            debt = (full_at if scale == 1 else -(-full_at // scale)) - now
            if debt > least:
                found.append(key)
                debts.append(debt)
        return found, debts

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
            full_at = self._full_at(ledger.table, key)
            if full_at > now:
                accounts.put(ledger, key, full_at, now)
            else:
                self._forget(ledger, key)
        return most

    def _debt(self, key: str, limit: Limit, now: int) -> int:
        """Ticks until the bucket is full."""
        table = self._tables.get(limit.text)
        if table is None:
            return 0
        return max(table.dict_of(key).get(key, _FULL) - now * limit.scale, 0)

    @staticmethod
    def _full_at(table: Table, key: str) -> int:
        """When the bucket is full again (ns, rounded up)."""
        return _ns(table.dict_of(key)[key], table.scale)

    def _place(self, key: str, limit: Limit) -> _Place:
        table = self._tables.get(limit.text)
        if table is None:
            return None
        held = table.dict_of(key)
        return held if key in held else None

    def _put(self, key: str, limit: Limit, debt: int, now: int) -> None:
        """Set the debt (ticks) of a bucket, which may be a new one."""
        held = self._place(key, limit)
        if held is None:
            self._create(key, limit, now * limit.scale + debt, now)
        else:
            held[key] = now * limit.scale + debt

    def _create(self, key: str, limit: Limit, full_at: int, now: int) -> None:
        accounts = self._accounts
        size = bytes_of(key)
        if accounts.shares.bytes + size > self._full:
            self._make_room(size, now)
        # Not before there is room: the last bucket of a table takes it along.
        table = self._tables.get(limit.text)
        if table is None:
            table = self._tables[limit.text] = Table(limit)
        if table.add(key, full_at):
            accounts.shares.bytes += SPREAD
        self._count += 1
        accounts.enter(table, key, size, _ns(full_at, limit.scale), now)
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
        full_at = self._full_at(ledger.table, key)
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
        if not table.size:
            del self._tables[table.limit.text]
            if table.shards is not None:
                self._accounts.shares.bytes -= SPREAD


def _ns(ticks: int, scale: int) -> int:
    return ticks if scale == 1 else -(-ticks // scale)


def _in_ns(debts: list[int], limits: Limits) -> list[int]:
    for at, limit in enumerate(limits.items):
        if limit.scale != 1:
            debts[at] = -(-debts[at] // limit.scale)
    return debts
