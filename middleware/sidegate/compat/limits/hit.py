"""A hit of a limit of theirs: what to ask for it, and what the answer means to `limits`. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from math import ceil
from numbers import Real
from typing import TYPE_CHECKING, cast

from sidegate.errors import shown
from sidegate.protocol.messages import MAX_KEY_BYTES

if TYPE_CHECKING:
    from sidegate.buckets.decision import Decision
    from sidegate.buckets.limits import Limits

MAX_COST = 10**12 + 1  # what is larger is above any limit there is, too
_LEAST = 1e-6  # seconds


@dataclass(frozen=True, slots=True)
class Hit:
    """`wanted` tokens of a key's limits, of which `amount` is what the item of theirs allows.

    A check can't have a cost above a burst, so what can never pass is looked at, and denied here.
    """

    key: str
    limits: Limits
    amount: int
    wanted: int

    @property
    def can_pass(self) -> bool:
        """Is no more wanted than a bucket holds?"""
        return self.wanted <= self.limits.smallest_burst

    @property
    def cost(self) -> int:
        """What to ask for: 0, which only looks, where more is wanted than can ever pass."""
        return self.wanted if self.can_pass else 0

    @property
    def asked(self) -> tuple[str, Limits, int]:
        """The check to make."""
        return self.key, self.limits, self.cost

    def is_like(self, other: Hit) -> bool:
        """Tell whether it is of the same limits of the same key."""
        return self.key == other.key and self.limits == other.limits


@dataclass(frozen=True, slots=True)
class HitAnswer:
    """What was decided about a hit, and at what time (seconds since 1970)."""

    hit: Hit
    decision: Decision
    at: float

    @property
    def allowed(self) -> bool:
        """Was all that was wanted charged, or would it pass, if nothing was wanted?"""
        return self.decision.allowed and self.hit.can_pass

    @property
    def used(self) -> int:
        """Tokens that are spent now; without an answer none where all pass, and all where none."""
        amount, decision = self.hit.amount, self.decision
        if not decision.debts:
            return 0 if decision.allowed and amount else amount
        left = min(map(decision.remaining_of, range(len(decision.limits))))
        return min(max(amount - left, 0), amount)

    @property
    def remaining(self) -> int:
        """Tokens that are left."""
        return self.hit.amount - self.used

    @property
    def count(self) -> int:
        """What a counter of theirs says after the hit: above the limit where it was denied.

        Here a hit that is denied isn't counted, so it says the same after the next one.
        """
        used = self.used
        if not self.allowed:
            return max(used + self.hit.wanted, self.hit.amount + 1)
        return used if self.decision.debts else min(self.hit.wanted, self.hit.amount)

    @property
    def reset_at(self) -> float:
        """When all of it is there again, in seconds since 1970: `at`, if it is now."""
        debts = self.decision.debts[: len(self.decision.limits)]
        spent = [at for at, debt in enumerate(debts) if debt]
        # Rounded: a moment before a full second would be told as the second before.
        return round(self.at + max(map(self.decision.reset_of, spent), default=0.0), 6)

    def as_sliding(self, seconds: int) -> tuple[int, float, int, float]:
        """Return it as a window before of which nothing counts, and the present one.

        Each as tokens and seconds. Seconds of a whole window would be 0 to their strategy.
        """
        return 0, 0.0, self.used, min(self.reset_at - self.at, seconds - _LEAST)


def whole(cost: object) -> int:
    """Return a cost of theirs in whole tokens, fractions rounded up; ValueError for what is none.

    No number is too large: it is above each limit.
    """
    if isinstance(cost, Real):  # numpy's too
        number = cast("float", cost)
        if number >= 0:
            return ceil(min(number, MAX_COST))
    raise ValueError(f"cost={shown(cost)}: expected a number from 0 up")


def bucket_key(prefix: str, key: str) -> str:
    """Return the key of the buckets that a key of theirs has: "limits:LIMITER/…/10/1/minute".

    One of over 512 bytes, or with what nobody could print, is replaced by a part of its SHA-256.
    """
    ours = f"{prefix}:{key}"
    if key.isprintable() and (len(ours) * 4 <= MAX_KEY_BYTES or _size(ours) <= MAX_KEY_BYTES):
        return ours
    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{prefix}:sha256={digest[:32]}"


def _size(text: str) -> int:
    return len(text.encode())
