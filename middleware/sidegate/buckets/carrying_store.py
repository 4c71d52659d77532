"""The store of limits that may have changed: their buckets are carried over; see `carrying.py`."""

from collections.abc import Iterable, Sequence
from itertools import islice

from sidegate.buckets.carrying import nearest, shares
from sidegate.buckets.limits import Limit, Limits
from sidegate.buckets.store import MAX_MEMORY, Store, to_ns
from sidegate.buckets.tables.shards import PUT_BY
from sidegate.buckets.windows import MAX_SKEW, CurrentWindow

FULL = 0  # whatever the time is: `now` is never negative
MAX_OLD = 32  # limits of a rule that are looked at: so often it changes in the longest of windows
MAX_CARRIED = 4_096  # that wait to be told to others: 1 MB, where nobody asks for them
# A bucket that was put by stays so if another node says the same of it: of its capacity, 1/16 more
# is news. What is on its way for some milliseconds looks larger by these.
_NEWS = 4  # bits


class CarryingStore(Store):
    """The tables of all limits, and what a key has spent of those that it had before.

    `ruled` is how keys begin that have one set of limits at a time whoever asks about them, up to
    their first colon: those of rules that a file has for all.
    """

    __slots__ = ("carried", "ruled")

    def __init__(self, max_memory: int = MAX_MEMORY) -> None:
        super().__init__(max_memory)
        self.carried: list[tuple[str, str, int]] = []  # what others are to hear of
        self.ruled: frozenset[str] = frozenset()

    # --- limits that changed

    def _carry(self, key: str, limits: Limits, now: int) -> bool:
        """Carry over what a key has spent under limits that it had before; False if there are none.

        Their buckets are put by: should they be asked about again, they are carried over likewise,
        and what they owe then still counts.
        """
        rule = key[: key.find(":") + 1]
        if not limits.carries and (rule not in self.ruled or limits.are_a_share):
            return False
        tables = self._accounts.by_rule
        of_rule = tables.get(rule, ())
        ours = 0
        for limit in limits.items:
            ours += self._tables.get(limit.text) in of_rule
        if (ours == len(of_rule) and None not in tables) or limits.is_blocked:
            return False  # nearly always: the rule has no other limits
        texts = [limit.text for limit in limits.items]
        old = [
            table
            for table in islice(self._accounts.tables_of(key), MAX_OLD)
            if table.limit.text not in texts
            and table.dict_of(key).get(key, PUT_BY) >= 0
            and not table.limit.is_share
        ]
        if not old:
            return False
        owed = [(table.limit, self._debt(key, table.limit, now)) for table in old]
        for table in old:
            held = table.dict_of(key)
            held[key] = min(-held[key], PUT_BY)
            table.puts_by = True
        wholes = [limit.whole for limit in limits.items]
        if len(self.carried) < MAX_CARRIED:
            self.carried += [(key, table.limit.text, 0) for table in old]
            self.carried.append((key, limits.text, 0))
        for limit, carried in zip(wholes, shares(wholes, owed), strict=True):
            debt = max(carried, self._debt(key, limit, now))
            if self.lent:
                floor = self.lent.carried_floor(key, limit, [it.limit for it in old], now)
                debt = max(debt, floor)
            if debt or self._place(key, limit) is not None:
                self._put(key, limit, debt, now)
        return True

    def _heir(self, key: str, limit: Limit) -> Limit | None:
        """Return the limit that a key's bucket was carried over to, as far as that one is held."""
        tables = islice(self._accounts.tables_of(key), MAX_OLD)
        held = [it.limit for it in tables if it.dict_of(key).get(key, PUT_BY) >= 0]
        return nearest(limit, (it for it in held if not it.is_share))

    # --- other nodes

    def take_carried(self) -> list[tuple[str, str, int]]:
        """Return what was carried over since this was asked last: key, text of limits, 0.

        Both the buckets put by and those in their place; of too many the later ones are left out.
        """
        carried, self.carried = self.carried, []
        return carried

    def dated(self, text: str, now: int) -> str:
        """Return the text of a limit of which there are buckets, and the window that it is."""
        table = self._tables.get(text)
        return (
            text if table is None or table.window is None else self.windows.dated(table.limit, now)
        )

    def lasts(self, limit: Limit, now: int) -> int:
        """Return for how long (ns) a bucket of a limit may be in debt, here or on another node."""
        window = self._window(limit)
        return limit.most // limit.scale if window is None else window.left(now) + MAX_SKEW

    def put_by(self, text: str, keys: Iterable[str], now: int) -> tuple[list[str], list[int]]:
        """Return the keys whose buckets of a limit were put by, and their debts (ns)."""
        table = self._tables.get(text)
        found: list[str] = []
        debts: list[int] = []
        if table is None or not table.puts_by:
            return found, debts
        for key in keys:
            full_at = table.dict_of(key).get(key, FULL)
            if full_at < 0:
                found.append(key)
                debts.append(to_ns(table.debt(full_at, now), table.scale))
        return found, debts

    def put_by_all(self, limit: Limit, keys: Sequence[str], debts: Iterable[int], now: int) -> None:
        """Merge many buckets of one limit that another node has put by, each with its debt (ns).

        One that owes more here is none of these: it was charged since.
        """
        if not limit.tokens:  # as in merge_all
            return
        ticks = self._ticks(limit, now)
        if table := self._tables.get(limit.text):
            table.renumber(keys, now)
        if self.lent:
            self.lent.disturb(limit.text, keys)
        for key, debt in zip(keys, debts, strict=True):
            full_at = ticks + min(debt * limit.scale, limit.most)
            held = self._place(key, limit)
            if held is None and debt:
                self._create(key, limit, full_at, now)
                held = self._place(key, limit)
            if held is not None and held[key] - full_at <= limit.capacity >> _NEWS:
                held[key] = min(-abs(held[key]), -full_at)
                self._tables[limit.text].puts_by = True

    def _merged(self, key: str, limit: Limit, known: int, full_at: int) -> int:
        """Return what becomes of a bucket that was put by, and isn't by another node.

        It stays so unless that one knows more than what was carried over from it.
        """
        if full_at + known > limit.capacity >> _NEWS or not self._heir(key, limit):
            return max(full_at, -known)
        return min(-full_at, known)

    # --- one bucket

    def _debt(self, key: str, limit: Limit, now: int) -> int:
        """Ticks until the bucket is full, also if it was put by."""
        table = self._tables.get(limit.text)
        if table is None:
            return 0
        return table.debt(table.dict_of(key).get(key, FULL), now)

    def _ticks(self, limit: Limit, now: int) -> int:
        """Return where the clock of a limit's buckets stands."""
        window = self._window(limit)
        return now * limit.scale if window is None else window.at(now)

    def _window(self, limit: Limit) -> CurrentWindow | None:
        """Return the present window of a quota, None for a bucket."""
        if limit.period is None:
            return None
        table = self._tables.get(limit.text)  # a fifth of the time that the hash of a period takes
        return self.windows.of(limit.period) if table is None else table.window

    def _place(self, key: str, limit: Limit) -> dict[str, int] | None:
        table = self._tables.get(limit.text)
        if table is None:
            return None
        held = table.dict_of(key)
        return held if key in held else None

    def keep_down(self, key: str, limit: Limit, now: int) -> None:
        """Have a bucket of which tokens are out owe its floor at least."""
        bucket = self.lent.get(limit.text, key)
        floor = 0 if bucket is None else bucket.floor(limit, now)
        if floor > self._debt(key, limit, now):
            self._put(key, limit, floor, now)

    def _put(self, key: str, limit: Limit, debt: int, now: int) -> None:
        """Set the debt (ticks) of a bucket, which may be a new one."""
        held = self._place(key, limit)
        full_at = self._ticks(limit, now) + debt
        if held is None:
            self._create(key, limit, full_at, now)
        else:
            held[key] = full_at
