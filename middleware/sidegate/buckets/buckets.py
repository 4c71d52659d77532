"""Buckets: who may have a token, decided by one number for each key and limit.

A bucket is the moment at which it will be full again. A token moves that moment one interval
further away, a request is denied when it would be further away than a whole burst takes to
refill, and time does the refilling by passing. So a full bucket is the same as no bucket, and
memory holds only keys in debt.

Everything is counted in ticks of the limit (`Limit.scale` of them are 1 ns), as whole numbers:
nothing is ever rounded, and the table decides as exact fractions would. What leaves it as a
debt is in nanoseconds, rounded up.

`store.py` says which buckets there are, and how many there may be; `carrying.py` what becomes of
them when the limits of a key change; `windows.py` by which clock quotas are counted.
"""

from collections.abc import Iterable, Sequence

from sidegate.buckets.carrying import carried_change
from sidegate.buckets.carrying_store import FULL, CarryingStore
from sidegate.buckets.limits import Limit, Limits, require_cost
from sidegate.buckets.store import to_ns
from sidegate.buckets.tables.shards import PUT_BY, SHIFT, Table
from sidegate.buckets.windows import CurrentWindow
from sidegate.errors import CostError

NOWHERE: dict[str, int] = {}  # the keys of a table that isn't there
_Place = dict[str, int] | None  # where a key is found under one limit, None when it isn't there


class BucketTable(CarryingStore):
    """All buckets of a node. `now` is in ns, on any clock that starts at 0 and never goes back.

    A bucket is one key under one limit. See Store for what happens when there are too many.
    """

    __slots__ = ()

    def take(  # noqa: PLR0911  # still plain: the common case by hand, and each other one apart
        self, key: str, limits: Limits, cost: int, now: int
    ) -> tuple[bool, list[int]]:
        """Charge `cost` tokens to every limit, or to none: whether they were charged, and debts.

        The debts are the ns until each limit's bucket is full, after the charge, rounded up; none
        where nothing ever passes. Of a quota it is the same share of its window as was spent, and
        behind all debts are, for each window, the ns that it lasts from now on, and its number. A
        cost of 0 only looks. CostError for a cost that can never pass.
        """
        # The common case, one limit, by hand: half the time of _take.
        table = self._tables.get(limits.text)
        if table is None or cost < 1:
            return self._take(key, limits, cost, now)
        shards = table.shards
        held = table.one if shards is None else shards[hash(key) >> SHIFT]
        full_at = held.get(key)
        if full_at is None:
            if (limits.carries or self.ruled) and self._carry(key, limits, now):
                return self._take(key, limits, cost, now)
            return self._take_first(key, table.limit, limits, cost, now)
        window = table.window
        if window is not None:
            return self._take_of_window(key, limits, window, held, cost, now)
        scale = table.scale
        ticks = now if scale == 1 else now * scale
        if full_at > ticks:
            debt = full_at - ticks
        elif full_at < 0:  # put by
            return self._take(key, limits, cost, now)
        else:
            debt = 0
        after = debt + (table.interval if cost == 1 else cost * table.interval)
        if after > table.capacity:
            if cost > limits.smallest_burst:
                raise CostError(cost, limits.smallest_burst)
            return False, [debt if scale == 1 else -(-debt // scale)]
        held[key] = ticks + after - 0  # see tables/shards.py
        return True, [after if scale == 1 else -(-after // scale)]

    def _take_of_window(  # as `take` goes on, for a quota
        self,
        key: str,
        limits: Limits,
        window: CurrentWindow,
        held: dict[str, int],
        cost: int,
        now: int,
    ) -> tuple[bool, list[int]]:
        ticks = window.ticks if now < window.until else window.at(now)
        limit = limits.items[0]
        full_at = held[key]
        after = cost * limit.interval
        if full_at > ticks:
            after += full_at - ticks
        elif full_at < 0:
            return self._take(key, limits, cost, now)
        if after > limit.capacity:
            debt = after - cost * limit.interval
            if cost > limit.burst or debt > limit.capacity:
                return self._take(key, limits, cost, now)
            return False, [debt, window.until - now, window.number]
        held[key] = ticks + after
        return True, [after, window.until - now, window.number]

    def _take_first(
        self, key: str, limit: Limit, limits: Limits, cost: int, now: int
    ) -> tuple[bool, list[int]]:
        """Take from a full bucket, which allows all that is no error."""
        if cost > limit.burst:
            raise CostError(cost, limit.burst)
        debt = cost * limit.interval
        self._create(key, limit, self._ticks(limit, now) + debt, now)
        return True, self._told([debt], limits, now)

    def _take(  # noqa: C901, PLR0912  # still plain: zip, max, comprehensions and small methods double the time
        self, key: str, limits: Limits, cost: int, now: int
    ) -> tuple[bool, list[int]]:
        if not 0 <= cost <= limits.smallest_burst:
            raise CostError(cost, limits.smallest_burst)
        allowed = True
        is_here = True  # are all of its buckets, and none put by?
        places: list[_Place] = []
        debts: list[int] = []
        for limit in limits.items:
            debt = 0
            place = None
            table = self._tables.get(limit.text)
            if table is None:
                is_here = False
            else:
                shards = table.shards
                place = table.one if shards is None else shards[hash(key) >> SHIFT]
                full_at = place.get(key)
                if full_at is None:
                    place = None
                    is_here = False
                elif full_at < 0:
                    is_here = False
                    debt = table.debt(full_at, now)
                elif table.window is not None:
                    debt = table.window.debt(full_at, now)
                elif full_at > now * limit.scale:
                    debt = full_at - now * limit.scale
            debt += cost * limit.interval
            if debt > limit.capacity:
                allowed = False
            places.append(place)
            debts.append(debt)
        if not is_here and (limits.carries or self.ruled) and self._carry(key, limits, now):
            return self._take(key, limits, cost, now)
        if not allowed:
            if limits.is_blocked:
                return False, []
            debts = [debts[at] - cost * limit.interval for at, limit in enumerate(limits.items)]
        elif cost:
            self._put_all(key, limits, places, debts, now)
        return allowed, self._told(debts, limits, now)

    def _put_all(
        self, key: str, limits: Limits, places: list[_Place], debts: list[int], now: int
    ) -> None:
        """Set the debts (ticks) of a key's buckets, which were found in `places`."""
        for at, limit in enumerate(limits.items):
            place = places[at]
            if place is not None:
                ticks = now * limit.scale if limit.period is None else self._ticks(limit, now)
                place[key] = ticks + debts[at] - 0  # as above
        if None in places:  # last, for a new bucket may need the room of one of the others
            for at, limit in enumerate(limits.items):
                if places[at] is None:
                    self._create(key, limit, self._ticks(limit, now) + debts[at], now)

    def refund(
        self, key: str, limits: Limits, cost: int, now: int, windows: Sequence[int] = ()
    ) -> list[int]:
        """Give back `cost` tokens to every limit, none beyond full: debts as `take` gives them.

        `windows` has for each limit the number of the window in which they were charged, 0 for
        none: what was charged in a window that is over stays so.
        """
        require_cost(cost, limits)
        for limit in self.of_now(limits, windows, now):
            self.change(key, limit, -cost * limit.interval, now)
        return self._told([self._debt(key, limit, now) for limit in limits.items], limits, now)

    def of_now(self, limits: Limits, windows: Sequence[int], now: int) -> list[Limit]:
        """Return the limits without those of windows that are over; `windows` as in `refund`."""
        if len(windows) not in {0, len(limits.items)}:
            raise ValueError(
                f"{len(windows)} windows of {limits.text!r}: expected one of each limit"
            )
        return [
            limit
            for at, limit in enumerate(limits.items)
            if not windows or self.windows.is_now(limit, windows[at], now)
        ]

    def owe(self, key: str, limits: Limits, cost: int, now: int) -> list[int]:
        """Charge `cost` tokens to every limit, also those that aren't there: debts as by `take`.

        A bucket owes up to twice its capacity by this, a quota up to all of its window.
        """
        if cost < 0:
            raise ValueError(f"cost {cost}: expected 0 or more")
        if (limits.carries or self.ruled) and limits.items:
            self._carry(key, limits, now)
        for limit in (it for it in limits.items if cost and it.tokens):
            debt = self._debt(key, limit, now)
            self._put(key, limit, max(debt, min(debt + cost * limit.interval, limit.most)), now)
        return self._told([self._debt(key, limit, now) for limit in limits.items], limits, now)

    def reset(self, key: str) -> int:
        """Make all buckets of the key full; how many there were."""
        dicts = [table.dict_of(key) for table in self._tables_of(key)]
        known = [held for held in dicts if held.get(key)]
        for held in known:
            held[key] = FULL if held[key] > 0 else PUT_BY
        for table in self._tables_of(key) if self.lent else ():
            self.lent.disturb(table.limit.text, (key,))
        return len(known)

    def fill(self, text: str, keys: Iterable[str], now: int) -> list[str]:
        """Make the buckets of these keys under one limit full; return those that were in debt."""
        table = self._tables.get(text)
        if table is None:
            return []
        one, shards, ticks = table.one, table.shards, table.ticks(now)
        full: list[str] = []
        keys = list(keys)
        if self.lent:
            self.lent.disturb(text, keys)
        for key in keys:
            held = one if shards is None else shards[hash(key) >> SHIFT]
            full_at = held.get(key, FULL)
            if full_at > ticks:
                held[key] = FULL
                full.append(key)
            elif full_at < 0:
                held[key] = PUT_BY
        return full

    def held(self, key: str, now: int) -> list[tuple[Limit, int]]:
        """Return the limits under which the key is in debt, and its debts (ns, rounded up).

        Those that it had before are left out.
        """
        tables = self._tables_of(key)
        limits = [table.limit for table in tables if table.dict_of(key)[key] > 0]
        debts = [(limit, to_ns(self._debt(key, limit, now), limit.scale)) for limit in limits]
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
        if debt > 0:
            self.merge_all(limit, (key,), (debt,), now)

    def change(self, key: str, limit: Limit, ticks: int, now: int) -> int:
        """Change a debt by so many ticks, up or down, as far as it stays 0 to the capacity.

        Return the ticks that this left out above it. A bucket that was put by changes as well as
        the one that it was carried over to.
        """
        limit = limit.whole
        place = self._place(key, limit)
        is_put_by = place is not None and place[key] < 0
        if is_put_by and (heir := self._heir(key, limit)):
            self.change(key, heir, carried_change(ticks, limit, heir), now)
        before = self._debt(key, limit, now)
        debt, most = before + ticks, max(before, limit.capacity)
        fitting = min(max(debt, 0), most)
        if ticks < 0 and self.lent and (lent := self.lent.get(limit.text, key)):
            fitting = min(max(fitting, lent.floor(limit, now)), before)
        if is_put_by and place is not None:
            place[key] = -(self._ticks(limit, now) + fitting)
        elif fitting or place is not None:
            self._put(key, limit, fitting, now)
        return max(debt - most, 0)

    def merge_all(self, limit: Limit, keys: Sequence[str], debts: Sequence[int], now: int) -> None:
        """Merge many buckets of one limit, each debt (ns) that of its key."""
        if not limit.tokens:  # of these there are none
            return
        ticks, text = self._ticks(limit, now), limit.text
        table = self._tables.get(text)
        if table is not None and table.window is not None:
            table.renumber(keys, now)
        if self.lent:
            self.lent.disturb(text, keys)
        if limit.scale != 1:
            debts = [debt * limit.scale for debt in debts]
        if max(debts, default=0) > limit.most:
            debts = [min(debt, limit.most) for debt in debts]
        one, shards = (NOWHERE, None) if table is None else (table.one, table.shards)
        for key, debt in zip(keys, debts, strict=True):  # plain, as in `debts`
            held = one if shards is None else shards[hash(key) >> SHIFT]
            known = held.get(key)
            full_at = ticks + debt
            if known is None:
                if debt:
                    self._create(key, limit, full_at, now)
                    table = self._tables[text]  # it may be new, spread out, or another one
                    one, shards = table.one, table.shards
            elif full_at > known:
                held[key] = full_at - 0 if known >= 0 else self._merged(key, limit, known, full_at)

    def full_in(self, text: str) -> int:
        """Return in how many ns an empty bucket of a limit is full, 0 if there are none."""
        table = self._tables.get(text)
        return 0 if table is None else table.capacity // table.scale

    def debts(
        self, text: str, keys: Iterable[str], now: int, least: int
    ) -> tuple[list[str], list[int]]:
        """Return the keys that owe more than `least` ns under a limit, and their debts (ns)."""
        table = self._tables.get(text)
        if table is None:
            return [], []
        keys = list(keys)
        shards, window, scale = table.shards, table.window, table.scale
        now = now if window is None else window.at(now)
        # A call for each key would double the time, and so would one look at each in a loop.
        if shards is None:
            full = [table.one.get(key, FULL) for key in keys]
        else:
            full = [shards[hash(key) >> SHIFT].get(key, FULL) for key in keys]
        if scale != 1:
            full = [-(-full_at // scale) for full_at in full]
        debts = [full_at - now for full_at in full]
        if min(debts, default=0) <= least:
            keys = [key for key, debt in zip(keys, debts, strict=True) if debt > least]
            debts = [debt for debt in debts if debt > least]
        return keys, debts if window is None else [window.owed(debt) for debt in debts]

    def _told(self, debts: list[int], limits: Limits, now: int) -> list[int]:
        """Have debts (ticks) in ns, and behind them each window: how long it lasts, its number."""
        for at, limit in enumerate(limits.items):
            if limit.scale != 1:
                debts[at] = -(-debts[at] // limit.scale)
        for at in limits.windows:
            if window := self._window(limits.items[at]):
                debts += window.left(now), window.number
        return debts
