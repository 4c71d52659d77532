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
    LOCAL = "local"  #: the sidecar that was asked, by its share of the limit
    OPEN = "open"  #: nobody could be asked: let through
    CLOSED = "closed"  #: nobody could be asked: refused
    REMEMBERED = "remembered"  #: this process, which was denied a moment ago
    MEMORY = "memory"  #: this process, which has no sidecar and wants none


class Decision(msgspec.Struct, frozen=True, gc=False):
    """The answer to one check; built in 100 ns, everything else is derived when asked for.

    `debts` are nanoseconds until each limit's bucket is full again, rounded up and in the order
    of `limits`, after this check was charged if it was allowed; empty when nobody knows them
    (open, closed), and where a limit lets nothing pass ("0/minute"). `node` is the name of the
    node that decided, "" when unknown.
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
        return max(map(self.wait_of, range(len(self.debts))), default=0)

    @property
    def reset_after(self) -> float | None:
        """Seconds until the binding limit's bucket is full, None when the debts are unknown."""
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
        """Seconds until the bucket of limit number `at` is full."""
        return self.debts[at] / SECOND

    def retry_of(self, at: int) -> float:
        """Seconds until limit number `at` would let the same check pass; 0.0 when allowed."""
        return self.wait_of(at) / SECOND

    def wait_of(self, at: int) -> int:
        """Nanoseconds until limit number `at` would let the same check pass; 0 when allowed."""
        if self.allowed:
            return 0
        limit = self.limits.items[at]
        short = self.debts[at] * limit.scale + self.cost * limit.interval - limit.capacity
        return max(-(-short // limit.scale), 0)

    @property
    def _binding(self) -> int | None:
        if len(self.debts) < 2:
            return 0 if self.debts else None
        return max(range(len(self.debts)), key=self._weight)

    def _weight(self, at: int) -> float:
        if not self.allowed:
            return self.wait_of(at)
        limit = self.limits.items[at]
        return self.debts[at] * limit.scale / (limit.capacity or 1)
