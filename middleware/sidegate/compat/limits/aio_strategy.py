"""AsyncTokenBucketRateLimiter: the strategy `token-bucket` of `limits`, for event loops."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from limits.aio.strategies import STRATEGIES, FixedWindowRateLimiter, RateLimiter
from limits.util import WindowStats

from sidegate.compat.limits.aio_storage import AsyncSidegateStorage
from sidegate.compat.limits.hit import whole

if TYPE_CHECKING:
    from collections.abc import Iterable

    from limits import RateLimitItem
    from limits.storage import StorageTypes


class AsyncTokenBucketRateLimiter(RateLimiter):
    """As TokenBucketRateLimiter, for AsyncSidegateStorage."""

    def __init__(self, storage: StorageTypes) -> None:
        """Take the storage to ask."""
        super().__init__(storage)
        self._buckets = storage if isinstance(storage, AsyncSidegateStorage) else None
        self._instead = FixedWindowRateLimiter(storage)

    async def hit(self, item: RateLimitItem, *identifiers: str, cost: int = 1) -> bool:
        """Charge `cost` tokens, if the bucket has them; was it charged?"""
        if (storage := self._buckets) is None:
            return await self._instead.hit(item, *identifiers, cost=cost)
        return (await storage.take(storage.hits.bucket(item, identifiers, cost))).allowed

    async def hit_all(
        self, items: Iterable[RateLimitItem], *identifiers: str, cost: int = 1
    ) -> bool:
        """Charge `cost` tokens of several limits at once: of all that there are (64), or of none.

        With a storage that has no buckets it is one after the other, up to the first that denies.
        """
        if (storage := self._buckets) is None:
            for item in items:
                if not await self._instead.hit(item, *identifiers, cost=cost):
                    return False
            return True
        return await storage.take_all([storage.hits.bucket(it, identifiers, cost) for it in items])

    async def test(self, item: RateLimitItem, *identifiers: str, cost: int = 1) -> bool:
        """Would such a hit be allowed now?"""
        if (storage := self._buckets) is None:
            return await self._instead.test(item, *identifiers, cost=cost)
        answer = await storage.take(storage.hits.bucket(item, identifiers))
        return answer.remaining >= whole(cost)

    async def get_window_stats(self, item: RateLimitItem, *identifiers: str) -> WindowStats:
        """Return when the bucket is full again, and what is left of it.

        Within a second of a hit or a test in the same context that is what this one was answered.
        """
        if (storage := self._buckets) is None:
            return await self._instead.get_window_stats(item, *identifiers)
        answer = await storage.recent(storage.hits.bucket(item, identifiers))
        return WindowStats(answer.reset_at, answer.remaining)


cast("dict[str, object]", STRATEGIES)["token-bucket"] = AsyncTokenBucketRateLimiter
