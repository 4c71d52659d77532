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
"""

from collections.abc import Iterable, Iterator, Sequence
from math import ceil

from sidegate.due import DueTimes, due_time
from sidegate.errors import CostError
from sidegate.limits import Limit, Limits
from sidegate.table import SHIFT, Table

# Full whatever the time is: `now` is never negative.
_FULL = 0
_SAMPLED_FROM = 8  # keys that a sample looks at, for each that it takes: 1 ms at 1,000,000 keys
# Entries looked at to find the bucket to forget at the bound: 100 µs. Each of those that was not
# to go has a later due time now, and isn't in the way again.
_LOOKS = 64
# Tables are bounded by the bound for keys, because there is none without a key. Each is larger
# than a bucket though: beyond this many (3 MB), a table takes the room of eight buckets.
_FREE_TABLES = 4_096
_ROOM_OF_TABLE = 8


_Place = dict[str, int] | None  # where a key is found under one limit, None when it isn't there


class Buckets:
    """All buckets of a node. `now` is in ns, on any clock that starts at 0 and never goes back.

    At most `most_keys` buckets are held; a bucket is one key under one limit. At the bound, the
    bucket closest to full is forgotten for each new one (to within 1/16 of its debt, and 134 ms).
    """

    __slots__ = ("_count", "_due", "_extra", "_most", "_tables", "evicted")

    def __init__(self, most_keys: int = 1_000_000) -> None:
        if most_keys < 1:
            raise ValueError(f"most_keys {most_keys}: expected at least 1")
        self.evicted = 0  # buckets forgotten at the bound while still in debt
        self._most = most_keys
        self._count = 0
        self._extra = 0  # room that tables take beyond the free ones
        self._tables: dict[str, Table] = {}  # by the text of their limit; none is empty
        self._due = DueTimes()

    def __len__(self) -> int:
        return self._count

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
        dicts = [table.dict_of(key) for table in self._tables.values()]
        known = [held for held in dicts if held.get(key)]
        for held in known:
            held[key] = _FULL
        return len(known)

    def held(self, key: str, now: int) -> list[tuple[Limit, int]]:
        """Return the limits under which the key is in debt, and its debts (ns, rounded up)."""
        limits = [table.limit for table in self._tables.values() if key in table.dict_of(key)]
        debts = [(limit, _ns(self._debt(key, limit, now), limit.scale)) for limit in limits]
        return [(limit, debt) for limit, debt in debts if debt]

    def merge(self, key: str, limit: Limit, debt: int, now: int) -> None:
        """Take over a bucket from another node: the larger of its debt (ns) and ours counts."""
        theirs = min(debt * limit.scale, limit.capacity)
        if theirs > self._debt(key, limit, now):
            self._put(key, limit, theirs, now)

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
        for text, table in list(self._tables.items()):
            for held in table.dicts():
                keys = list(held)  # at most 16,000 of 1,000,000
                for start in range(0, len(keys), most):
                    yield text, keys[start : start + most]

    def sample(self, most: int) -> Iterator[tuple[str, list[str]]]:
        """Give about `most` keys, old and new ones alike; all if there are no more.

        A dict of a table holds a share of its keys by chance, so a few dicts stand for all; but in
        each the keys are in the order in which they came.
        """
        share = min(most / max(self._count, 1), 1.0)
        for text, table in self._tables.items():
            dicts = table.dicts()
            looked_at = dicts[: ceil(len(dicts) * min(share * _SAMPLED_FROM, 1.0))]
            total = max(sum(map(len, looked_at)), 1)
            for keys in map(list, looked_at):
                count = min(ceil(len(keys) * table.size * share / total), len(keys))
                yield text, [keys[at * len(keys) // count] for at in range(count)]

    def export(self, now: int, most: int = 4_096) -> Iterator[list[tuple[str, Limit, int]]]:
        """Give all buckets in debt in lists of at most `most`: key, limit, debt (ns, rounded up).

        The debts are as of `now`, also in the lists asked for later. The table may change between
        two lists: a bucket that is there all along is given once.
        """
        for table in list(self._tables.values()):
            for held in table.dicts():
                items = list(held.items())  # at most 16,000 of 1,000,000
                for start in range(0, len(items), most):
                    yield _exported(table.limit, items[start : start + most], now)

    def sweep(self, now: int, most: int) -> int:
        """Look at no more than `most` buckets that are due and forget the full ones: how many.

        0 when nothing is due. A look costs 1 µs, so slices of a few hundred are no pause.
        """
        for looks in range(most):
            due = self._due.next
            if due is None or due > now:
                return looks
            text, key = self._due.pop()
            full_at = self._full_at(text, key)
            if full_at > now:
                self._due.push(full_at, now, text, key)
            else:
                self._forget(text, key)
        return most

    def _debt(self, key: str, limit: Limit, now: int) -> int:
        """Ticks until the bucket is full."""
        table = self._tables.get(limit.text)
        if table is None:
            return 0
        return max(table.dict_of(key).get(key, _FULL) - now * limit.scale, 0)

    def _full_at(self, text: str, key: str) -> int:
        """When the bucket is full again (ns, rounded up)."""
        table = self._tables[text]
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
        while self._count + self._extra >= self._most:
            self._evict(now)
        # Not before there is room: the last bucket of a table takes it along.
        table = self._tables.get(limit.text)
        if table is None:
            table = self._add_table(limit)
        table.add(key, full_at)
        self._count += 1
        self._due.push(_ns(full_at, limit.scale), now, limit.text, key)

    def _add_table(self, limit: Limit) -> Table:
        table = self._tables[limit.text] = Table(limit)
        self._weigh_tables()
        return table

    def _weigh_tables(self) -> None:
        self._extra = max(len(self._tables) - _FREE_TABLES, 0) * _ROOM_OF_TABLE

    def _evict(self, now: int) -> None:
        """Forget the bucket that is closest to full among those due first."""
        closest: tuple[int, str, str] | None = None
        for _ in range(_LOOKS):
            due = self._due.next
            if due is None:
                break
            text, key = self._due.pop()
            entry = self._full_at(text, key), text, key
            if closest is None:
                closest = entry
            else:
                closest, other = min(closest, entry), max(closest, entry)
                self._due.push(other[0], now, other[1], other[2])
            if (
                due_time(entry[0], now) <= due
            ):  # else it was taken from since, and others are closer
                break
        assert closest  # only called with buckets to forget
        self.evicted += closest[0] > now
        self._forget(closest[1], closest[2])

    def _forget(self, text: str, key: str) -> None:
        table = self._tables[text]
        table.remove(key)
        self._count -= 1
        if not table.size:
            del self._tables[text]
            self._weigh_tables()


def require_cost(cost: int, limits: Limits) -> None:
    """Raise CostError for a cost that can never pass."""
    if not 0 <= cost <= limits.smallest_burst:
        raise CostError(cost, limits.smallest_burst)


def _ns(ticks: int, scale: int) -> int:
    return ticks if scale == 1 else -(-ticks // scale)


def _in_ns(debts: list[int], limits: Limits) -> list[int]:
    for at, limit in enumerate(limits.items):
        if limit.scale != 1:
            debts[at] = -(-debts[at] // limit.scale)
    return debts


def _exported(limit: Limit, items: list[tuple[str, int]], now: int) -> list[tuple[str, Limit, int]]:
    debts = ((key, _ns(full_at, limit.scale) - now) for key, full_at in items)
    return [(key, limit, debt) for key, debt in debts if debt > 0]
