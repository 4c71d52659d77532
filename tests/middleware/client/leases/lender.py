"""A lender: an owner of one bucket, as far as leases go, in whole tokens' parts. No clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate.protocol.holds.lease_messages import MAX_LEASE, Lent, ReturnedRow

if TYPE_CHECKING:
    from sidegate.buckets.limits import Limit


class Lender:
    """Lends of a bucket, so that what is in it and what is out are never more than it holds.

    What is out is a twentieth at most, and while some is, no more is in it than the rest.
    """

    def __init__(self, limit: Limit, now: int) -> None:
        self._limit = limit
        self._level = limit.burst * limit.interval
        self._now = now
        self._out: dict[int, tuple[int, int]] = {}  # by number: tokens, and until when
        self._last = 0

    @property
    def lent(self) -> int:
        """Tokens that are out."""
        return sum(tokens for tokens, _ in self._out.values())

    def _go_on(self, now: int) -> None:
        self._out = {it: out for it, out in self._out.items() if out[1] > now}
        self._level += (now - self._now) * self._limit.scale
        self._now = now
        self._cap()

    def _cap(self) -> None:
        most = self._limit.capacity * (95 if self._out else 100) // 100
        self._level = min(self._level, most)

    @property
    def _debt(self) -> int:
        return -((self._level - self._limit.capacity) // self._limit.scale)

    def check(self, cost: int, now: int) -> tuple[bool, list[int]]:
        """Charge a check that was asked."""
        self._go_on(now)
        allowed = self._level >= cost * self._limit.interval
        if allowed:
            self._level -= cost * self._limit.interval
        return allowed, [self._debt]

    def lend(self, wanted: int, now: int) -> Lent:
        """Lend up to so many tokens."""
        self._go_on(now)
        there = self._level // self._limit.interval
        free = self._limit.burst * 5 // 100 - self.lent
        tokens = min(wanted, free // 2, there)
        tokens = tokens if tokens >= 2 else 0
        pause = 1_000 if there < wanted and tokens < wanted else 0
        if tokens:
            self._last += 1
            self._level -= tokens * self._limit.interval
            self._out[self._last] = tokens, now + MAX_LEASE * 1_000
            self._cap()
        number = self._last if tokens else 0
        return Lent(1, "owner", "n1", tokens, MAX_LEASE, number, pause, [self._debt])

    def take_back(self, row: ReturnedRow, now: int) -> None:
        """Have a lease be over."""
        self._go_on(now)
        _, _, number, unspent = row
        tokens, _ = self._out.pop(number, (0, 0))
        self._level += min(unspent, tokens) * self._limit.interval
        self._cap()
