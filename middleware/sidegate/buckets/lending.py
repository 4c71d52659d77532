"""Lending: an owner's tokens of busy keys, lent to apps that spend them without asking. Pure.

What a bucket holds and what is out of it are together never more than its burst: lending and giving
back don't change that sum, spending and lapsing lower it, and only time raises it, by the rate. So
every interval lets through at most one burst and what comes back in it, as without leases, whoever
dies and whatever gets lost. `lent_buckets.py` says how a bucket is kept from filling up behind what
is out. At most 5 % of a burst is: so much of it others may find missing for a moment.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING, Final, NamedTuple

from sidegate.buckets.limits import SECOND
from sidegate.buckets.windows import windows_in

if TYPE_CHECKING:
    from sidegate.buckets.buckets import BucketTable
    from sidegate.buckets.limits import Limit, Limits

PART: Final = 20  # of a burst one may be out, which is 5 %
LEAST: Final = 2  # tokens: fewer are no lease, asking costs as much as a check
MAX_LEASES: Final = 4_096  # out at a time: 2 MB, and more than apps have busy keys
_MAX_ENDS: Final = 4 * MAX_LEASES  # of those that were given back, until they would have lapsed
LAPSE: Final = SECOND // 10  # ns that a lease lasts at most, and for which tokens are wanted
_SHORTEST: Final = SECOND // 100  # ns: for less than that an app may be busy with something else
_USELESS: Final = SECOND // 500  # ns: it would be over before the next check comes
_SOON: Final = SECOND // 1_000  # ns: the shortest pause
_LATER: Final = SECOND  # ns: the longest
_FOR_OTHERS: Final = SECOND // 200  # ns until what is out may have come back
_WORTHWHILE: Final = SECOND // 500  # ns in which so much comes back that asking is worth it


class LeaseTerms(NamedTuple):
    """What was lent, for how long, when to ask again (both ns), and debts as `take` gives them."""

    tokens: int
    lasts: int
    pause: int
    debts: list[int]


class Lease(NamedTuple):
    """Tokens that are out: of which buckets, until when (ns), and charged in which windows."""

    key: str
    limits: Limits
    tokens: int
    end: int
    windows: list[int]


class Lending:
    """What one table has lent, by numbers that its caller gives. `now` is in ns."""

    def __init__(self, table: BucketTable) -> None:
        self.lent = self.returned = self.lapsed = 0  # tokens, ever
        self._table = table
        self._leases: dict[int, Lease] = {}
        self._ends: list[tuple[int, int]] = []  # a heap: (end, number)

    def __len__(self) -> int:
        return len(self._leases)

    def lend(self, number: int, key: str, limits: Limits, wanted: int, now: int) -> LeaseTerms:
        """Lend up to so many tokens, charged to all of these limits; none if it makes no sense."""
        self.lapse(now)
        loan = self._lend(number, key, limits, wanted, now)
        self.lent += loan.tokens
        return loan

    def _lend(self, number: int, key: str, limits: Limits, wanted: int, now: int) -> LeaseTerms:
        longest = min(map(_longest, limits.items))
        room = min(limit.whole.burst for limit in limits.items) // PART // 2
        if room < LEAST or longest < _USELESS:
            return LeaseTerms(0, 0, _LATER, [])
        _, debts = self._table.take(key, limits, 0, now)
        free = min(self._free(key, limit) for limit in limits.items) // 2
        if free < LEAST or len(self._leases) >= MAX_LEASES or len(self._ends) >= _MAX_ENDS:
            return LeaseTerms(0, 0, _FOR_OTHERS, debts)
        here = _here(limits, debts)
        tokens = min(wanted, free, here)
        if tokens < LEAST:
            return LeaseTerms(0, 0, _pause(limits, debts, wanted), debts)
        _, debts = self._table.take(key, limits, tokens, now)
        pause = _pause(limits, debts, wanted) if tokens == here else 0
        lasts = max(_spent_in(tokens, wanted), self._headroom(key, limits, debts, tokens))
        lasts = min([longest, lasts, *_windows_left(limits, debts)])
        self._enter(number, Lease(key, limits, tokens, now + lasts, windows_in(limits, debts)), now)
        return LeaseTerms(tokens, lasts, pause, debts)

    def _enter(self, number: int, lease: Lease, now: int) -> None:
        self._leases[number] = lease
        heappush(self._ends, (lease.end, number))
        for limit in lease.limits.items:
            self._table.lent.lend(lease.key, limit, lease.tokens, lease.end)
            self._table.keep_down(lease.key, limit, now)

    def _free(self, key: str, limit: Limit) -> int:
        """Return how many more tokens of a bucket may be out."""
        bucket = self._table.lent.get(limit.text, key)
        if bucket is None:
            return limit.whole.burst // PART
        return limit.whole.burst // PART - bucket.tokens if bucket.is_sound else 0

    def _headroom(self, key: str, limits: Limits, debts: list[int], tokens: int) -> int:
        """Return for how long (ns) tokens may be out before a bucket is kept from filling up."""
        room = LAPSE
        for limit, debt in zip(limits.items, debts, strict=False):
            if limit.period is None:
                bucket = self._table.lent.get(limit.text, key)
                out = tokens if bucket is None else tokens + bucket.tokens
                room = min(room, debt - out * limit.interval // limit.scale)
        return room

    def settle(self, number: int, key: str, limits: Limits, unspent: int, now: int) -> Lease | None:
        """End a lease; return what of it is to be given back to its buckets, None for nothing.

        So it is where it has lapsed, or is another one's, which isn't ended by this.
        """
        self.lapse(now)
        lease = self._leases.get(number)
        if lease is None or lease.key != key or lease.limits.text != limits.text:
            return None
        buckets = [self._table.lent.get(limit.text, key) for limit in limits.items]
        is_sound = all(it is not None and it.is_sound for it in buckets)
        self._settle(number)
        if not unspent or not is_sound:
            return None
        unspent = min(unspent, lease.tokens)
        self.returned += unspent
        return lease._replace(tokens=unspent)

    def lapse(self, now: int) -> None:
        """End the leases whose time is over."""
        while self._ends and self._ends[0][0] <= now:
            _, number = heappop(self._ends)
            if lease := self._leases.get(number):
                self.lapsed += lease.tokens
                self._settle(number)

    def _settle(self, number: int) -> None:
        lease = self._leases.pop(number)
        for limit in lease.limits.items:
            self._table.lent.settle(lease.key, limit, lease.tokens)


def _longest(limit: Limit) -> int:
    """Return how long tokens of a limit may be out (ns).

    A bucket is kept from filling up meanwhile: that is to be a small part of it.
    """
    if limit.period is not None:
        return LAPSE
    return min(LAPSE, limit.whole.capacity // limit.scale // PART)


def _here(limits: Limits, debts: list[int]) -> int:
    """Return how many tokens there are to take."""
    pairs = zip(limits.items, debts, strict=False)
    return min((it.capacity - debt * it.scale) // it.interval for it, debt in pairs)


def _pause(limits: Limits, debts: list[int], wanted: int) -> int:
    """Return in how many ns there will be enough to ask again."""
    pauses = [_SOON]
    for limit, debt in zip(limits.items, debts, strict=False):
        if limit.period is not None:
            is_spent = debt + LEAST * limit.interval > limit.capacity
            pauses.append(_LATER if is_spent else 0)
            continue
        coming = _WORTHWHILE * limit.scale // limit.interval
        enough = max(LEAST, min(wanted, coming)) * limit.interval
        pauses.append(-(-(debt * limit.scale + enough - limit.capacity) // limit.scale))
    return min(max(pauses), _LATER)


def _spent_in(tokens: int, wanted: int) -> int:
    """Return in how many ns tokens are spent twice over, by who wants so many in LAPSE."""
    return max(2 * tokens * LAPSE // wanted, _SHORTEST)


def _windows_left(limits: Limits, debts: list[int]) -> list[int]:
    """Return for each window how long it lasts (ns)."""
    return debts[len(limits.items) :: 2]
