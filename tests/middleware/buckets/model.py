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
        return floor(self.level(key, limit, now))

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
        theirs = max(limit.burst - debt * rate(limit), Fraction(0))
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
