"""TokenBucketRateLimiter: the strategy `token-bucket` of `limits`, for threads."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from limits.strategies import STRATEGIES, FixedWindowRateLimiter, RateLimiter
from limits.util import WindowStats

from sidegate.compat.limits.hit import whole
from sidegate.compat.limits.storage import SidegateStorage

if TYPE_CHECKING:
    from collections.abc import Iterable

    from limits import RateLimitItem
    from limits.storage import StorageTypes


class TokenBucketRateLimiter(RateLimiter):
    """Counts by buckets that are refilled evenly, each check on one way there and back.

    With a storage that has no buckets, as that of in_memory_fallback, it counts by fixed windows.
    """

    def __init__(self, storage: StorageTypes) -> None:
        """Take the storage to ask."""
        super().__init__(storage)
        self._buckets = storage if isinstance(storage, SidegateStorage) else None
        self._instead = FixedWindowRateLimiter(storage)

    def hit(self, item: RateLimitItem, *identifiers: str, cost: int = 1) -> bool:
        """Charge `cost` tokens, if the bucket has them; was it charged?"""
        if (storage := self._buckets) is None:
            return self._instead.hit(item, *identifiers, cost=cost)
        return storage.take(storage.hits.bucket(item, identifiers, cost)).allowed

    def hit_all(self, items: Iterable[RateLimitItem], *identifiers: str, cost: int = 1) -> bool:
        """Charge `cost` tokens of several limits at once: of all that there are (64), or of none.

        With a storage that has no buckets it is one after the other, up to the first that denies.
        """
        if (storage := self._buckets) is None:
            return all(self._instead.hit(item, *identifiers, cost=cost) for item in items)
        return storage.take_all([storage.hits.bucket(it, identifiers, cost) for it in items])

    def test(self, item: RateLimitItem, *identifiers: str, cost: int = 1) -> bool:
        """Would such a hit be allowed now?"""
        if (storage := self._buckets) is None:
            return self._instead.test(item, *identifiers, cost=cost)
        return storage.take(storage.hits.bucket(item, identifiers)).remaining >= whole(cost)

    def get_window_stats(self, item: RateLimitItem, *identifiers: str) -> WindowStats:
        """Return when the bucket is full again, and what is left of it.

        Within a second of a hit or a test in the same context that is what this one was answered.
        """
        if (storage := self._buckets) is None:
            return self._instead.get_window_stats(item, *identifiers)
        answer = storage.recent(storage.hits.bucket(item, identifiers))
        return WindowStats(answer.reset_at, answer.remaining)


cast("dict[str, object]", STRATEGIES)["token-bucket"] = TokenBucketRateLimiter
