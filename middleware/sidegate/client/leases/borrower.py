"""A borrower: one question that is asked all the time, and the tokens that are lent for it. Pure.

Two leases at the most: the one that is spent, and the one that was asked for when half of that was
gone. So who is refused by neither finds tokens here at each check.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from sidegate.buckets.decision import Decision, Source
from sidegate.client.leases.sampling import WINDOW

if TYPE_CHECKING:
    from sidegate.buckets.limits import Limits
    from sidegate.protocol.holds.lease_messages import Lent, ReturnedRow

MAX_LAPSE: Final = 100_000_000  # ns: no lease lasts longer, whatever an owner says
RENEWED: Final = 35  # % of its time: one that is spent slowly is asked for anew
RETURNED: Final = 65  # % of its time: what is left of it then is given back
WANTED_FOR: Final = 60_000_000  # ns: about so long is spent of a lease that lasts for a lapse
LEAST_WANTED: Final = 2  # tokens
MAX_WANTED: Final = 1_000_000_000  # tokens: more than are spent in a lapse
MEASURED_FOR: Final = 5_000_000  # ns: over less a rate says nothing
MAX_DENIALS: Final = 16  # costs whose denial is kept ready, in a pause
NEVER: Final = -1


class Borrowed:
    """Tokens that were lent: by which number, until when (ns, by the clock of who asked)."""

    __slots__ = ("debts", "ends", "given", "node", "number", "renew_from", "return_from")

    def __init__(self, lent: Lent, asked_at: int, ends: int) -> None:
        self.number = lent.number
        self.given = lent.tokens
        self.node = lent.node
        self.debts = lent.debts
        self.ends = ends
        self.renew_from = asked_at + (ends - asked_at) * RENEWED // 100
        self.return_from = asked_at + (ends - asked_at) * RETURNED // 100


class Borrower:
    """What one question has borrowed. What is hot is plain: `tokens`, `ends` and `renew_at`."""

    __slots__ = (
        "allowed",
        "asked_at",
        "charged",
        "decision",
        "demand",
        "denials",
        "denied",
        "denied_until",
        "ends",
        "is_over",
        "key",
        "lent",
        "limits",
        "loan",
        "measured",
        "next",
        "pause_until",
        "rate",
        "refused",
        "renew_at",
        "seen",
        "tokens",
        "told",
    )

    def __init__(self, key: str, limits: Limits, wanted: int, now: int) -> None:
        self.key = key
        self.limits = limits
        self.tokens = 0  # that are left of the loan
        self.ends = 0  # ns
        self.renew_at = NEVER  # tokens; asked for anew when so few are left
        self.decision = Decision(True, limits, 1, (), Source.LEASE)
        self.loan: Borrowed | None = None
        self.next: Borrowed | None = None
        self.asked_at = 0  # ns, 0 if nothing is asked for
        self.pause_until = 0  # ns; nothing is asked for before
        self.denied_until = 0  # ns; what has no tokens here has none there
        self.denials: dict[int, Decision | None] = {}  # by cost, while that lasts
        self.refused = 0  # checks of late, in pauses
        self.lent: Lent | None = None  # what was last said of it
        self.is_over = False
        # how often it was asked
        self.demand = 0  # tokens that were asked for and not had from a loan
        self.charged = 0  # tokens of loans that are over
        self.rate = wanted / WINDOW  # tokens a ns
        self.measured = (0, now)  # tokens until when the rate was taken
        self.seen = (0, now)  # tokens until then, when they last were more
        # what is to be told
        self.allowed = 0
        self.denied = 0
        self.told = 0  # tokens that were spent, as far as they were told of

    # --- tokens

    @property
    def spent(self) -> int:
        """How many tokens were spent of loans."""
        return self.charged + (0 if self.loan is None else self.loan.given - self.tokens)

    def take(self, loan: Borrowed) -> None:
        """Spend of this loan from now on."""
        self.loan = loan
        self.tokens, self.ends = loan.given, loan.ends
        self.renew_at = loan.given // 2
        self.decision = Decision(True, self.limits, 1, loan.debts, Source.LEASE, loan.node)

    def settle(self) -> list[ReturnedRow]:
        """Have the loan be over, with what is left of it."""
        loan = self.loan
        if loan is None:
            return []
        self.charged += loan.given - self.tokens
        row = (self.key, self.limits.asked, loan.number, self.tokens)
        self.loan, self.tokens, self.renew_at = None, 0, NEVER
        return [row]

    def settle_all(self) -> list[ReturnedRow]:
        """Have both loans be over."""
        rows = self.settle()
        if self.next is not None:
            rows.append((self.key, self.limits.asked, self.next.number, self.next.given))
            self.next = None
        return rows

    def move_on(self) -> list[ReturnedRow]:
        """Spend of the next loan, if there is one."""
        rows = self.settle()
        if self.next is not None:
            self.take(self.next)
            self.next = None
        return rows

    # --- what is asked for

    def may_ask(self, now: int) -> bool:
        """Is nothing asked for or kept ready, and no pause to be kept?"""
        return not self.asked_at and self.next is None and now >= self.pause_until

    def wanted(self, now: int) -> int:
        """Return how many tokens to ask for, by what was spent and missed of late."""
        tokens, (before, since) = self.spent + self.demand, self.measured
        if now - since >= MEASURED_FOR:
            self.rate = (tokens - before) / (now - since)
            self.measured = tokens, now
        return min(max(int(self.rate * WANTED_FOR), LEAST_WANTED), MAX_WANTED)

    def idle(self, now: int) -> int:
        """Return for how many ns nobody has asked, as far as was looked."""
        tokens, since = self.spent + self.demand, self.seen[1]
        if tokens != self.seen[0]:
            self.seen = tokens, now
            return 0
        return now - since

    # --- what isn't here

    def deny_until(self, until: int) -> None:
        """Deny what has no tokens here, and had none where they were last asked for."""
        self.denied_until = until
        self.denials.clear()

    def denial(self, cost: int, now: int) -> Decision | None:
        """Return the denial that holds now, None if there may be tokens for it."""
        if now >= self.denied_until or self.lent is None:
            return None
        try:
            return self.denials[cost]
        except KeyError:
            if len(self.denials) >= MAX_DENIALS:
                self.denials.clear()
            made = denied(self.limits, cost, self.lent, self.denied_until - now)
            self.denials[cost] = made
            return made


def denied(limits: Limits, cost: int, lent: Lent, wait: int) -> Decision | None:
    """Return the denial of a cost that the owner didn't have, for `wait` ns; None if it had it."""
    made = Decision(False, limits, cost, lent.debts, Source.REMEMBERED, lent.node)
    waits = list(map(made.wait_of, range(len(limits.items)))) if lent.debts else [0]
    longest = max(waits)
    if not longest:
        return None
    if longest >= wait:
        return made
    debts = list(lent.debts)
    debts[waits.index(longest)] += wait - longest
    return replace(made, debts=debts)


def fits(lent: Lent, limits: Limits) -> bool:
    """Are the debts those of these limits? There are none where nothing can be lent of them."""
    if not lent.tokens and not lent.debts:
        return True
    return len(lent.debts) == len(limits.items) + 2 * len(limits.windows)


def lasts_until(lent: Lent, asked_at: int) -> int:
    """Return when a lease ends (ns), which lasts from when it was asked for."""
    return asked_at + min(lent.lasts * 1_000, MAX_LAPSE)
