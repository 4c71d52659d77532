"""Token buckets written down as a textbook does, in exact fractions: what Buckets is held to."""

from fractions import Fraction
from math import ceil, floor

from sidegate.buckets.limits import Limit, Limits

SECOND = 10**9


class BucketModel:
    """Levels of tokens that rise as time passes; nothing in it is fast, bounded or rounded."""

    def __init__(self) -> None:
        self._levels: dict[tuple[str, Limit], tuple[Fraction, int]] = {}

    def level(self, key: str, limit: Limit, now: int) -> Fraction:
        level, at = self._levels.get((key, limit), (Fraction(limit.burst), now))
        return min(level + (now - at) * rate(limit), Fraction(limit.burst))

    def remaining(self, key: str, limit: Limit, now: int) -> int:
        return max(floor(self.level(key, limit, now)), 0)

    def debt(self, key: str, limit: Limit, now: int) -> int:
        return ceil((limit.burst - self.level(key, limit, now)) / rate(limit))

    def debts(self, key: str, limits: Limits, now: int) -> list[int]:
        return [self.debt(key, limit, now) for limit in limits]

    def take(self, key: str, limits: Limits, cost: int, now: int) -> tuple[bool, list[int]]:
        allowed = all(self.level(key, limit, now) >= cost for limit in limits)
        if allowed:
            self._add(key, limits, -cost, now)
        return allowed, self.debts(key, limits, now)

    def refund(self, key: str, limits: Limits, cost: int, now: int) -> list[int]:
        self._add(key, limits, cost, now)
        return self.debts(key, limits, now)

    def merge(self, key: str, limit: Limit, debt: int, now: int) -> None:
        theirs = max(limit.burst - debt * rate(limit), Fraction(-limit.burst))
        self._levels[key, limit] = min(theirs, self.level(key, limit, now)), now

    def reset(self, key: str) -> None:
        self._levels = {at: level for at, level in self._levels.items() if at[0] != key}

    def _add(self, key: str, limits: Limits, tokens: int, now: int) -> None:
        for limit in limits:
            level = min(self.level(key, limit, now) + tokens, Fraction(limit.burst))
            self._levels[key, limit] = level, now


def rate(limit: Limit) -> Fraction:
    """Return the tokens that come in one nanosecond."""
    return Fraction(limit.tokens, limit.window * SECOND)


class CarryingModel:
    """The buckets of one key whose limits change: what each owes (ns), and which are put by."""

    def __init__(self) -> None:
        self.full_at: dict[Limit, Fraction] = {}
        self.put_by: set[Limit] = set()

    def debt(self, limit: Limit, now: int) -> Fraction:
        return max(self.full_at.get(limit, Fraction(0)) - now, Fraction(0))

    def keep(self, texts: set[str]) -> None:
        """Forget all other buckets."""
        self.full_at = {limit: at for limit, at in self.full_at.items() if limit.text in texts}
        self.put_by &= self.full_at.keys()

    def take(self, limits: Limits, cost: int, now: int) -> bool:
        if not all(limit in self.full_at.keys() - self.put_by for limit in limits):
            self._carry(limits, now)
        after = {limit: self.debt(limit, now) + cost / rate(limit) for limit in limits}
        allowed = all(debt <= limit.burst / rate(limit) for limit, debt in after.items())
        if allowed and cost:
            for limit, debt in after.items():
                self._set(limit, now + debt)
        return allowed

    def _carry(self, limits: Limits, now: int) -> None:
        old = [it for it in self.full_at if it not in self.put_by and it not in limits.items]
        if not old:
            return
        self.put_by |= {*old}
        for limit in limits:
            nearest = min(_apart(limit, it) for it in old)
            shares = [
                self.debt(it, now) * rate(it) / it.burst
                for it in old
                if _apart(limit, it) == nearest == min(_apart(it, other) for other in limits)
            ]
            debt = max(self.debt(limit, now), max(shares, default=0) * limit.burst / rate(limit))
            if debt or limit in self.full_at:
                self._set(limit, now + debt)

    def _set(self, limit: Limit, full_at: Fraction) -> None:
        self.full_at[limit] = full_at
        self.put_by.discard(limit)


def _apart(one: Limit, other: Limit) -> Fraction:
    return Fraction(max(one.window, other.window), min(one.window, other.window))
