"""Settling: what an owner makes of checks that others have decided in its place. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sidegate.buckets.limits import parse_limits
from sidegate.protocol.messages import require_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidegate.buckets.buckets import BucketTable
    from sidegate.buckets.limits import Limit, Limits
    from sidegate.protocol.messages import Account, Charge, StoodIn
    from sidegate_sidecar.replication.copies import Copies
    from sidegate_sidecar.replication.corrections.decided import Decided
    from sidegate_sidecar.replication.corrections.resets import KnownResets


LATE: Final = 50 * 10**6
"""By so much (ns) a sender's bucket may look larger than ours for being on its way. Were it merged
for that, what is told again and again would never be paid."""


class Settling:
    """Counts each check of a key of ours once, whoever has decided it."""

    def __init__(
        self, table: BucketTable, decided: Decided, resets: KnownResets, copies: Copies
    ) -> None:
        self._table = table
        self._decided = decided
        self._resets = resets
        self._copies = copies
        self.over_admitted = 0.0  # tokens beyond a limit, as far as we were told

    def settle_all(self, sender: str, rows: Sequence[StoodIn], now: int) -> list[Account]:
        """Settle what a node has decided, but for keys of which it missed that they were reset."""
        stale = self._resets.unheard(sender)
        return [
            account
            for row in rows
            if row[0] not in stale
            for account in self.settle(sender, row, now)
        ]

    def settle(self, sender: str, row: StoodIn, now: int) -> list[Account]:
        """Count what a node has charged to one key; return how its buckets stand.

        Whoever asked has heard that node's answer and not ours. So what we have charged for the
        same check is void, and if it has reached that node it counts twice there. Not so where
        the asker listens to nobody but us any more: then it is the sender's that nobody heard.
        ValueError for a row that makes no sense.
        """
        key, text, debts, charges = row
        require_key(key)
        limits = parse_limits(text)
        if len(limits.items) != len(debts):
            raise ValueError(f"{len(debts)} debts of {text!r}: expected one for each limit")
        if max((tokens for *_, tokens in charges), default=0) > limits.smallest_burst:
            raise ValueError(f"a charge above the burst of {text!r}")
        self._table.take(key, limits, 0, now)  # if they carry, its buckets are theirs by a look
        more, twice = self._compare(sender, charges)
        return [
            (limit.text, key, twice, self._add(key, limit, more, theirs, twice, now))
            for limit, theirs in zip(limits.items, debts, strict=True)
        ]

    def _compare(self, sender: str, charges: list[Charge]) -> tuple[int, int]:
        """Return how many tokens we are to add, and how many the sender has counted twice."""
        more = twice = 0
        for serial, place, tokens in charges:
            ours = self._decided.own(serial, place) or 0
            known = self._decided.in_place(serial, place)
            stands = ours and self._decided.is_heard(serial)
            if known is None and not stands:
                self._decided.note_in_place(serial, place, sender, tokens)
                more += tokens - ours
                twice += ours
            elif known is not None and known.by == sender:  # it didn't hear that we know
                twice += ours
            else:  # two have stood in for us, or nobody has heard the sender
                twice += tokens
        return more, twice

    def _add(self, key: str, limit: Limit, more: int, theirs: int, twice: int, now: int) -> int:
        """Change a bucket by tokens, but by no more than the sender's debt; return its debt (ns).

        What is paid by now for the sender doesn't count any more.
        """
        self._change(key, limit, min(more * limit.interval, theirs * limit.scale), now)
        debt = self._owed(key, limit, now)
        theirs -= -(-twice * limit.interval // limit.scale)
        if theirs - debt > LATE and self._copies.has_strangers and limit.period is None:
            # It charged on top of what a stranger sent it, and not us yet. When that comes the
            # larger debt counts, and these charges would be lost. Not so after a standstill of
            # ours: this has lain here as long. (And nobody says which window a quota's is of.)
            self._table.merge(key, limit, theirs, now)
            debt = self._owed(key, limit, now)
        return debt

    def _owed(self, key: str, limit: Limit, now: int) -> int:
        return sum(self._table.debts(limit.text, (key,), now, 0)[1])

    def refund(
        self, key: str, limits: Limits, cost: int, now: int, windows: Sequence[int] = ()
    ) -> None:
        """Give back tokens to each of these limits, none beyond full, and as the table does it."""
        for limit in self._table.of_now(limits, windows, now):
            self._change(key, limit, -cost * limit.interval, now)

    def _change(self, key: str, limit: Limit, ticks: int, now: int) -> None:
        """Change a bucket by ticks.

        What is given back first makes up for what was let through beyond the capacity: that was no
        debt, and yet spent.
        """
        bucket = limit.text, key
        if ticks < 0:
            ticks += self._decided.take_beyond(bucket, -ticks)
        beyond = self._table.change(key, limit, ticks, now)
        if beyond:
            self._decided.note_beyond(bucket, beyond)
            self.over_admitted += beyond / limit.interval
