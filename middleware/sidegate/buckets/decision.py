"""A decision: whether a check was allowed, who said so, and until when."""

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from sidegate.buckets.limits import SECOND, Limit, Limits
from sidegate.errors import shown


class OnUnreachable(StrEnum):
    """What happens to a check that nobody can decide."""

    OPEN = "open"  # it is allowed
    CLOSED = "closed"  # it is denied
    LOCAL = "local"  # it is decided here, with this node's share of the limit


def require_on_unreachable(value: object) -> OnUnreachable:
    """Return the policy that an option names; ValueError names what is none."""
    if isinstance(value, str) and value in tuple(OnUnreachable):
        return OnUnreachable(value)
    names = ", ".join(OnUnreachable)
    raise ValueError(f"on_unreachable={shown(value)}: expected one of {names}")


class Source(StrEnum):
    """Who decided."""

    OWNER = "owner"  #: the node that holds the bucket
    BACKUP = "backup"  #: the next node on the ring, which holds a copy
    LEASE = "lease"  #: this process, by tokens that the owner has lent it
    LOCAL = "local"  #: the sidecar that was asked, by its share of the limit
    OPEN = "open"  #: nobody could be asked: let through
    CLOSED = "closed"  #: nobody could be asked: refused
    REMEMBERED = "remembered"  #: this process, which was denied a moment ago
    MEMORY = "memory"  #: this process, which has no sidecar and wants none


class Decision(msgspec.Struct, frozen=True, gc=False):
    """The answer to one check; built in 100 ns, everything else is derived when asked for.

    `debts` are nanoseconds until each limit's bucket is full again, rounded up and in the order
    of `limits`, after this check was charged if it was allowed; empty when nobody knows them
    (open, closed), and where a limit lets nothing pass ("0/minute"). Of a quota it is the share of
    its window that is spent, and behind the debts are two numbers for each quota: how long its
    window lasts (ns), and the number of that window. `node` is the name of the node that decided,
    "" when unknown.
    """

    allowed: bool
    limits: Limits
    cost: int
    debts: Sequence[int]
    source: Source
    node: str = ""

    @property
    def binding(self) -> tuple[Limit, int] | None:
        """The limit that matters most and its debt, None when the debts are unknown.

        That is the one with the longest wait on a denial, else the one with the least left as a
        share of its burst; the first of equals.
        """
        at = self._binding
        return None if at is None else (self.limits.items[at], self.debts[at])

    @property
    def limit(self) -> int:
        """Burst of the binding limit; of the first limit when the debts are unknown."""
        return self.limits.items[self._binding or 0].burst

    @property
    def remaining(self) -> int | None:
        """Tokens left in the binding limit's bucket, None when the debts are unknown."""
        at = self._binding
        return None if at is None else self.remaining_of(at)

    @property
    def retry_after(self) -> float:
        """Seconds until the same check can pass; 0.0 when it was allowed or nobody knows."""
        return self.wait / SECOND

    @property
    def wait(self) -> int:
        """Nanoseconds until the same check can pass: `retry_after` before it became a float."""
        if not self.debts:
            return 0
        count = len(self.limits.items)
        return self.wait_of(0) if count == 1 else max(map(self.wait_of, range(count)))

    @property
    def reset_after(self) -> float | None:
        """Seconds until the binding limit is whole again, None when the debts are unknown."""
        at = self._binding
        return None if at is None else self.reset_of(at)

    def remaining_of(self, at: int) -> int:
        """Tokens left in the bucket of limit number `at`.

        A token that comes within this nanosecond counts as there, except that a limit which
        denied never shows as many as were asked for.
        """
        limit = self.limits.items[at]
        if self.allowed and limit.scale == 1:  # nearly all, and nothing was rounded
            return max((limit.capacity - self.debts[at]) // limit.interval, 0)
        # The debt was rounded up to a whole nanosecond: this is the least that it can have been.
        debt = max(self.debts[at] * limit.scale - limit.scale + 1, 0)
        left = (limit.capacity - debt) // limit.interval
        return max(min(left, self.cost - 1) if self.wait_of(at) else left, 0)

    def reset_of(self, at: int) -> float:
        """Seconds until limit number `at` is whole again: its bucket full, or its window over."""
        return self.whole_in(at) / SECOND

    def whole_in(self, at: int) -> int:
        """Nanoseconds until limit number `at` is whole again: `reset_of` before it was a float."""
        if self.limits.items[at].period is None:
            return self.debts[at]
        return self._of_windows(at, 0)

    def windows(self, limits: Limits) -> list[int]:
        """Numbers of the windows of those of the limits that are quotas, none of them unknown."""
        if not self.debts:
            return []
        places = [self.limits.items.index(limits.items[at]) for at in limits.windows]
        return [self._of_windows(at, 1) for at in places]

    def _of_windows(self, at: int, which: int) -> int:
        limits = self.limits
        return self.debts[len(limits.items) + 2 * limits.windows.index(at) + which]

    def retry_of(self, at: int) -> float:
        """Seconds until limit number `at` would let the same check pass; 0.0 when allowed."""
        return self.wait_of(at) / SECOND

    def wait_of(self, at: int) -> int:
        """Nanoseconds until limit number `at` would let the same check pass; 0 when allowed."""
        if self.allowed:
            return 0
        limit = self.limits.items[at]
        if limit.period is not None and limit.tokens:
            is_short = self.debts[at] + self.cost * limit.interval > limit.capacity
            return self._of_windows(at, 0) if is_short else 0
        short = self.debts[at] * limit.scale + self.cost * limit.interval - limit.capacity
        return max(-(-short // limit.scale), 0)

    @property
    def _binding(self) -> int | None:
        count = len(self.limits.items)
        if count < 2 or not self.debts:
            return 0 if self.debts else None
        return max(range(count), key=self._weight)

    def _weight(self, at: int) -> float:
        if not self.allowed:
            return self.wait_of(at)
        limit = self.limits.items[at]
        return self.debts[at] * limit.scale / (limit.capacity or 1)


def aged(decision: Decision, age: int) -> list[int]:
    """Return the debts of a decision as they are `age` ns later, if its windows aren't over."""
    limits = decision.limits
    debts = [debt - age if debt > age else 0 for debt in decision.debts]
    if not limits.windows:  # nearly all
        return debts
    for at in limits.windows if debts else ():
        debts[at] = decision.debts[at]  # in a window nothing comes back
    debts[len(limits.items) + 1 :: 2] = decision.debts[len(limits.items) + 1 :: 2]
    return debts
