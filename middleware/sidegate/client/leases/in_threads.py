"""In threads: the leases of one process, which its threads spend together, each under a lock.

Who checks looks after them, once a tick. What nobody asks about any more a thread gives back, which
lives while something is borrowed: else of a quota as much would lapse as a short burst of checks
spends. Where no thread can run, it lapses. A forked process begins with none.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

from sidegate.client.leases.borrower import MAX_LAPSE
from sidegate.client.leases.in_loop import TELL_EVERY
from sidegate.client.leases.leases import IDLE, TICK_EVERY, AppLeases
from sidegate.protocol.holds.lease_messages import Borrow, Lent, Returned
from sidegate.protocol.outcome_messages import Outcomes

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidegate.buckets.decision import Decision
    from sidegate.buckets.limits import Limits
    from sidegate.client.leases.borrower import Borrower
    from sidegate.protocol.messages import Check

    Word = Returned | Borrow | Outcomes

_TICK_EVERY: Final = int(TICK_EVERY * 1e9)
_TELL_EVERY: Final = int(TELL_EVERY * 1e9)
# Seconds between two looks of the thread: of a lease that lasts for 100 ms, what is idle for 50 is
# given back within 75.
_KEEP_EVERY: Final = 2 * TICK_EVERY


class ThreadLeases:
    """The leases of one process. `converse` is called to have said what `words` returns.

    `table` is empty most of the time, which costs nothing to see.
    """

    def __init__(self, budget: float, converse: Callable[[], None], *, remembers: bool) -> None:
        self._budget = int(budget * 1e6)
        self._converse = converse
        self._leases = leases = AppLeases(remembers=remembers)
        self._lock = threading.Lock()  # over all that is here; never held while something is said
        self._asked: dict[int, tuple[Borrower, int]] = {}  # by number: who asked, and when (ns)
        self._last_number = 0
        self._tick_at = 0  # ns
        self._tell_at = 0  # ns
        self._is_due = False
        self._is_kept = False  # is there a thread that gives back?
        self.table = leases.table

    # --- checks

    def spend(self, key: str, limits: Limits, cost: int, now: int) -> Decision | None:
        """Return the decision of a check that can be made here, None if it has to be asked."""
        leases = self._leases
        with self._lock:
            if now >= self._tick_at + IDLE:  # else who asks once a second borrows for each check
                leases.end()
                self._is_due = True
            made = leases.spend(key, limits, cost, now)
            if now >= self._tick_at:
                self._tick(now)
            is_decided = made is not None and made.allowed
            if is_decided and not leases.wishes:
                return made
            it = self.table.get((key, limits.asked))
            if it is None or not it.asked_at:
                return made
        self._converse()  # it is asked for, or what was asked for may have come
        if not is_decided and it.loan is not None:
            with self._lock:
                made = leases.spend(key, limits, cost, time.monotonic_ns())
        return made

    def _tick(self, now: int) -> None:
        self._tick_at = now + _TICK_EVERY
        self._leases.tick(now)
        if len(self._asked) > len(self.table):  # of some the answer has never come
            asked = self._asked.items()
            self._asked = {it: by for it, by in asked if now - by[1] < MAX_LAPSE}
        if len(self._leases.wishes) > len(self.table):  # nobody has said those of some
            self._leases.wishes = [wish for wish in self._leases.wishes if not wish[0].is_over]
        if self._leases.returned or now >= self._tell_at:
            self._is_due = True

    def saw(self, check: Check, limits: Limits, now: int) -> None:
        """Look at a check that was asked: is it hot?"""
        with self._lock:
            is_hot = self._leases.saw([check], [limits], now)
            if is_hot:  # nobody has looked while there were none
                self._tick_at = max(self._tick_at, time.monotonic_ns())
        if is_hot:
            self._converse()
            self._have_kept()

    def refund(self, key: str, limits: Limits, cost: int) -> bool:
        """Put back what was spent of a lease; False if the sidecar is to be told."""
        with self._lock:
            return self._leases.refund(key, limits, cost, time.monotonic_ns())

    def ask_again(self, key: str, limits: Limits) -> None:
        """Deny this no more: tokens have come back."""
        with self._lock:
            self._leases.ask_again(key, limits)

    def forget(self, key: str, *, begins: bool) -> None:
        """Give back what was lent of a key that was reset, or of all that begin with it."""
        with self._lock:
            self._leases.forget(key, begins=begins)
            self._is_due = True

    # --- what nobody asks about any more

    def _have_kept(self) -> None:
        with self._lock:
            if self._is_kept:
                return
            self._is_kept = True
        try:
            threading.Thread(target=self._keep, name="sidegate leases", daemon=True).start()
        except RuntimeError:  # the process ends, or has too many: the next one tries again
            self._is_kept = False

    def _keep(self) -> None:
        """Give back what is idle, until nothing is borrowed."""
        pause = threading.Event()  # not time.sleep: tests of apps replace that, and count its calls
        while True:
            pause.wait(_KEEP_EVERY)
            with self._lock:
                self._tick(time.monotonic_ns())
                is_due = bool(self._asked or self._leases.returned or self._leases.wishes)
                self._is_kept = is_kept = bool(self.table or self._asked)
            if is_due:
                self._converse()
            if not is_kept:
                return

    # --- what is said

    @property
    def has_words(self) -> bool:
        """Is there anything to say now?"""
        return self._is_due or bool(self._leases.wishes)

    def words(self) -> list[Word]:
        """Return what is to be said now, or never."""
        leases, now = self._leases, time.monotonic_ns()
        with self._lock:
            self._is_due = False
            words: list[Word] = []
            if leases.returned:
                words.append(Returned(0, leases.take_returned()))
            wishes, leases.wishes = leases.wishes, []
            words += [self._wish(it, wanted) for it, wanted in wishes if not it.is_over]
            if now >= self._tell_at or not self.table:
                self._tell_at = now + _TELL_EVERY
                if rows := leases.take_told():
                    words.append(Outcomes([], rows))
        return words

    def _wish(self, it: Borrower, wanted: int) -> Borrow:
        self._last_number = number = self._last_number + 1
        self._asked[number] = it, it.asked_at
        return Borrow(number, 0, self._budget, it.key, it.limits.asked, wanted)

    def told(self, lent: Lent) -> None:
        """Have what was lent; what comes too late is given back, or lapses."""
        with self._lock:
            it, asked_at = self._asked.pop(lent.id, (None, 0))
            if it is None or it.asked_at != asked_at:
                return  # it was given up, and perhaps asked for anew
            self._leases.lent(it, lent, time.monotonic_ns())
            self._is_due |= it.is_over

    def end(self) -> None:
        """Give everything back."""
        with self._lock:
            self._leases.end()
            self._is_due = True
        self._converse()
