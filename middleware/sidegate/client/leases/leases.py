"""Leases: the tokens that one session has borrowed, of the questions that are asked all the time.

They are charged already, so a check that finds enough of them is allowed at once. They are asked
for again when half of them are spent, and given back when nobody asks any more, before they lapse.
Where the owner has none left, it says for how long it won't: until then checks are denied here.

Pure, and hot: what an allowed check costs is a look into a dict and some whole numbers, 0.5 µs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from sidegate.buckets.decision import Source
from sidegate.client.leases.borrower import (
    MAX_LAPSE,
    NEVER,
    Borrowed,
    Borrower,
    fits,
    lasts_until,
)
from sidegate.client.leases.sampling import Sampling
from sidegate.client.unreachable.key_counts import KeyCounts
from sidegate.protocol.holds.lease_messages import MAX_RETURNED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidegate.buckets.decision import Decision
    from sidegate.buckets.limits import Limits
    from sidegate.client.leases.sampling import Question
    from sidegate.protocol.holds.lease_messages import Lent, ReturnedRow
    from sidegate.protocol.messages import Check
    from sidegate.protocol.outcome_messages import KeyOutcome

MAX_BORROWERS: Final = 256  # questions that are asked all the time: 0.3 MB
IDLE: Final = MAX_LAPSE // 2  # ns without a check, after which tokens are given back
# Seconds, while anything is borrowed: of the last third of a lease two looks, so one of them is
# in time, and the owner hears of it before it takes the tokens for lost.
TICK_EVERY: Final = 0.0125
# ns: an owner says 1 to 10 ms, and nobody is denied for longer on its word.
MAX_PAUSE: Final = 10_000_000
MAX_WAIT: Final = 1_000_000_000  # ns without asking, where nothing can be lent of such limits
# ns: what was asked at the end of a pause may take so long, while checks are denied that come all
# the time. Those of a process that waits for the CPU come in bursts, with such gaps.
MAX_UNHEARD: Final = 50_000_000
MAX_GAP: Final = 25_000_000
FIRST_BACKOFF: Final = 10_000_000  # ns without asking where an owner has tokens and lends none
# checks in a pause, and half of those in the one before it: who asks so often asks again soon
MIN_REFUSED: Final = 4


class AppLeases:
    """What is borrowed, by question. `now` is in ns of a monotonic clock.

    `remembers`: are checks denied for which the owner had no tokens a moment ago?

    What there is to say to the sidecar is in `wishes` and `returned`; who asks takes it from there.
    """

    __slots__ = ("_remembers", "_sampling", "counts", "returned", "table", "wishes")

    def __init__(self, *, remembers: bool) -> None:
        self.table: dict[Question, Borrower] = {}
        self.wishes: list[tuple[Borrower, int]] = []  # who wants so many tokens
        self.returned: list[ReturnedRow] = []
        self._sampling = Sampling()
        self._remembers = remembers
        self.counts = KeyCounts()  # what was decided here, until it is told

    # --- checks

    def spend(self, key: str, limits: Limits, cost: int, now: int) -> Decision | None:
        """Return the decision of a check that can be made here, None if it has to be asked."""
        it = self.table.get((key, limits.asked))
        if it is None or not limits.may_lease:
            return None
        tokens = it.tokens - cost
        if 0 <= tokens < it.tokens and now < it.ends:  # so the cost is above 0
            it.tokens = tokens
            it.allowed += 1
            if tokens <= it.renew_at:
                self._renew(it, now)
            made = it.decision
            return made if cost == 1 else replace(made, cost=cost)
        return self._spend_next(it, cost, now) if cost > 0 else None

    def _spend_next(self, it: Borrower, cost: int, now: int) -> Decision | None:
        if now >= it.ends and it.loan is not None:
            self.returned += it.settle()  # late: the owner has taken it for lost, or soon does
        if it.next is not None and (it.loan is None or it.tokens < cost):
            self.returned += it.move_on()
            return self.spend(it.key, it.limits, cost, now)
        if not it.tokens and it.loan is not None:
            self.returned += it.settle()
        it.demand += cost
        if it.may_ask(now):
            self._ask(it, now)
        if self._remembers and (denial := it.denial(cost, now)):
            it.denied += 1
            it.refused += 1
            if it.asked_at and it.refused >= MIN_REFUSED:
                until = min(now + MAX_GAP, it.asked_at + MAX_UNHEARD)
                it.denied_until = max(it.denied_until, until)
            return denial
        return None

    def _renew(self, it: Borrower, now: int) -> None:
        if it.may_ask(now):
            it.renew_at = NEVER
            self._ask(it, now)

    def _ask(self, it: Borrower, now: int) -> None:
        it.asked_at = now
        # Where checks come all the time, those up to the answer are denied as those before.
        it.deny_until(it.denied_until + MAX_GAP if it.refused >= MIN_REFUSED else 0)
        self.wishes.append((it, it.wanted(now)))

    # --- what begins

    def saw(self, checks: Sequence[Check], limits: Sequence[Limits], now: int) -> bool:
        """Look at the checks of a turn, which are sent; is there something to say now?"""
        place = self._sampling.saw(checks, limits, now)
        if place < 0:
            return False
        key, asked, _ = checks[place]
        question = (key, asked)
        if question in self.table or len(self.table) >= MAX_BORROWERS:
            return False
        it = Borrower(key, limits[place], self._sampling.wanted(question), now)
        self.table[question] = it
        self._ask(it, now)
        return True

    # --- what the sidecar says

    def lent(self, it: Borrower, lent: Lent, now: int) -> None:
        """Have a borrower spend what was lent to it, or wait as it is told to."""
        asked_at, it.asked_at = it.asked_at, 0
        ends = lasts_until(lent, asked_at)
        if lent.source != Source.OWNER or not fits(lent, it.limits):
            self.unlent(it, now)  # nobody to ask now, or what makes no sense
            return
        if it.is_over or now >= ends:
            if lent.tokens:
                row = (it.key, it.limits.asked, lent.number, lent.tokens)
                self.returned.append(row)
            return
        pause = min(lent.pause * 1_000, MAX_WAIT)
        if lent.tokens:
            self._have(it, Borrowed(lent, asked_at, ends), now)
        elif not pause:
            pause = FIRST_BACKOFF
        it.lent = lent
        it.pause_until = now + pause
        it.deny_until(now + min(pause, MAX_PAUSE) if lent.pause and lent.debts else 0)
        it.refused = it.refused // 2 if lent.pause else 0

    def _have(self, it: Borrower, loan: Borrowed, now: int) -> None:
        if it.loan is not None and it.tokens and now < it.ends:
            it.next = loan
        else:
            self.returned += it.settle()
            it.take(loan)

    def unlent(self, it: Borrower, now: int) -> None:
        """Ask no more for a while: nobody has lent anything, or said anything."""
        it.asked_at = 0
        it.pause_until = now + MAX_LAPSE
        it.deny_until(0)
        if self.wishes:  # nobody could be asked until now, as in an outage
            self.wishes = [wish for wish in self.wishes if wish[0] is not it]

    # --- what ends

    def tick(self, now: int) -> None:
        """Give back what nobody needs, and ask for what is soon over; call it each TICK_EVERY."""
        for question, it in list(self.table.items()):
            idle = it.idle(now)
            if idle >= IDLE:
                self._drop(question)
                continue
            if it.loan is not None:
                if now >= it.loan.renew_from and idle < IDLE // 2:
                    self._renew(it, now)
                if now >= it.loan.return_from:
                    self.returned += it.move_on()
            if it.asked_at and now - it.asked_at >= MAX_LAPSE:
                self.unlent(it, now)

    def refund(self, key: str, limits: Limits, cost: int, now: int) -> bool:
        """Put tokens back that were spent here; False if the owner is to be told.

        Those of a quota always: their window may be over.
        """
        it = self.table.get((key, limits.asked))
        if it is None or limits.windows or it.loan is None or now >= it.ends:
            return False
        if it.tokens + cost > it.loan.given:
            return False
        it.tokens += cost
        return True

    def ask_again(self, key: str, limits: Limits) -> None:
        """Deny this no more: tokens have come back."""
        if it := self.table.get((key, limits.asked)):
            it.deny_until(0)

    def forget(self, key: str, *, begins: bool = False) -> None:
        """Give back what was lent of a key that was reset, or of all that begin with it."""
        is_meant = str.startswith if begins else str.__eq__
        for question in [question for question in self.table if is_meant(question[0], key)]:
            self._drop(question)

    def end(self) -> None:
        """Give everything back."""
        for question in list(self.table):
            self._drop(question)

    def _drop(self, question: Question) -> None:
        it = self.table.pop(question)
        it.is_over = True
        self.returned += it.settle_all()
        self._count(it)

    # --- what is told

    def take_returned(self) -> list[ReturnedRow]:
        """Return the leases that are over, to be told now or never."""
        returned, self.returned = self.returned[:MAX_RETURNED], []
        return returned

    def take_told(self) -> list[KeyOutcome]:
        """Return what was decided here, and count anew."""
        for it in self.table.values():
            self._count(it)
        return self.counts.take()

    def _count(self, it: Borrower) -> None:
        if it.allowed:
            tokens = max(it.spent - it.told, 0)  # below 0 where more was put back
            it.told += tokens
            self.counts.add(it.key, Source.LEASE, allowed=True, tokens=tokens, times=it.allowed)
        if it.denied:
            self.counts.add(it.key, Source.REMEMBERED, allowed=False, tokens=0, times=it.denied)
        it.allowed = it.denied = 0
