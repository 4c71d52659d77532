"""In an event loop: leases are asked for and given back by the loop's link, and a timer looks."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Final

from sidegate.client.leases.borrower import MAX_LAPSE
from sidegate.client.leases.leases import TICK_EVERY, AppLeases
from sidegate.client.memory import STANDING
from sidegate.link.health import LinkState
from sidegate.protocol.holds.lease_messages import Borrow, Lent, Returned
from sidegate.protocol.outcome_messages import Outcomes

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sequence

    from sidegate.buckets.decision import Decision
    from sidegate.buckets.limits import Limits
    from sidegate.client.leases.borrower import Borrower
    from sidegate.link.endpoint import Endpoint
    from sidegate.link.link import Link
    from sidegate.protocol.messages import Check, InquiryAnswer

TELL_EVERY: Final = 1.0  # seconds between two words about what was decided here


class LoopLeases:
    """The leases of one loop. With no link, and where they are forbidden, there never are any.

    `table` is empty most of the time, which costs nothing to see.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        link: Link | None,
        options: Endpoint,
        *,
        remembers: bool,
    ) -> None:
        self._loop = loop
        self._link = link if options.leases else None
        self._budget = int(options.budget * 1e6)
        self._leases = leases = AppLeases(remembers=remembers)
        self._asked: dict[Borrower, int] = {}  # by which number
        self._is_ticking = False
        self._tell_at = 0.0
        self.table = leases.table

    # --- checks

    def spend(self, key: str, limits: Limits, cost: int) -> Decision | None:
        """Return the decision of a check that can be made here, None if it has to be asked."""
        if STANDING.decide:  # what a sidecar lent has no say
            return None
        leases = self._leases
        made = leases.spend(key, limits, cost, time.monotonic_ns())
        if leases.wishes:
            self._say()
        return made

    def saw(self, checks: Sequence[Check], limits: Sequence[Limits], now: int) -> None:
        """Look at a turn that was sent: is a question in it hot?"""
        link = self._link
        if link is not None and self._leases.saw(checks, limits, now):
            if link.state is LinkState.UP and not link.lacks(Borrow):
                self._say()
                self._keep_ticking()
            else:
                self._leases.end()
                self._leases.wishes.clear()

    def refund(self, key: str, limits: Limits, cost: int) -> bool:
        """Put back what was spent of a lease; False if the sidecar is to be told."""
        return self._leases.refund(key, limits, cost, time.monotonic_ns())

    def ask_again(self, key: str, limits: Limits) -> None:
        """Deny this no more: tokens have come back."""
        self._leases.ask_again(key, limits)

    def forget(self, key: str, *, begins: bool) -> None:
        """Give back what was lent of a key that was reset, or of all that begin with it."""
        self._leases.forget(key, begins=begins)
        self._say()

    # --- what is said

    def _say(self) -> None:
        leases, link = self._leases, self._link
        if link is None:
            return
        if leases.returned:
            link.tell(Returned(0, leases.take_returned()))
        wishes, leases.wishes = leases.wishes, []
        for it, wanted in wishes:
            self._borrow(link, it, wanted)

    def _borrow(self, link: Link, it: Borrower, wanted: int) -> None:
        if it in self._asked:  # the answer to what it asked before has never come
            link.withdraw(self._asked.pop(it))
        budget, key, asked = self._budget, it.key, it.limits.asked
        number, answer = link.pose(lambda number: Borrow(number, 0, budget, key, asked, wanted))
        self._asked[it] = number
        answer.add_done_callback(partial(self._answered, link, it, number))

    def _answered(
        self, link: Link, it: Borrower, number: int, answer: asyncio.Future[InquiryAnswer | None]
    ) -> None:
        if self._asked.get(it) != number:  # it was withdrawn
            return
        del self._asked[it]
        link.withdraw(number)
        lent, now = answer.result(), time.monotonic_ns()
        if isinstance(lent, Lent):
            self._leases.lent(it, lent, now)
        else:
            self._leases.unlent(it, now)
        if it.is_over:
            self._say()

    # --- time

    def _keep_ticking(self) -> None:
        if not self._is_ticking:
            self._is_ticking = True
            self._tell_at = self._loop.time() + TELL_EVERY
            self._loop.call_later(TICK_EVERY, self._tick)

    def _tick(self) -> None:
        self._leases.tick(now := time.monotonic_ns())
        if len(self._asked) > len(self.table):  # of some that are over the answer never comes
            self._withdraw(now - MAX_LAPSE)
        self._say()
        if self._loop.time() >= self._tell_at or not self.table:
            self._tell()
        self._is_ticking = False
        if self.table or self._asked:
            self._is_ticking = True
            self._loop.call_later(TICK_EVERY, self._tick)

    def _withdraw(self, before: int) -> None:
        for it, number in list(self._asked.items()):
            if self._link is not None and it.is_over and it.asked_at < before:
                del self._asked[it]
                self._link.withdraw(number)

    def _tell(self) -> None:
        """Tell what was decided here, if the sidecar is there; else nobody."""
        self._tell_at = self._loop.time() + TELL_EVERY
        rows, link = self._leases.take_told(), self._link
        if rows and link is not None and not link.lacks(Borrow):
            link.tell(Outcomes([], rows))

    def close(self) -> None:
        """Give everything back, and tell what wasn't told."""
        self._leases.end()
        self._leases.wishes.clear()
        self._say()
        self._tell()
