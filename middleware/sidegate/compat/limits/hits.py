"""What each strategy of theirs asks for: which buckets, and how these refill."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from sidegate.buckets.limits import parse_limits
from sidegate.client.config import log_once
from sidegate.compat.limits.hit import Hit, bucket_key, whole
from sidegate.compat.limits.quota import quota_of

if TYPE_CHECKING:
    from limits import RateLimitItem

# What differs from theirs, once a process.
_FIXED: Final = (
    "sidegate: fixed-window: windows begin at whole multiples of their length since 1970 (UTC), not"
    " at the first hit; a hit that is denied isn't counted"
)
_MOVING: Final = (
    "sidegate: moving-window, sliding-window-counter: N in each window of fixed-window, and by a"
    " bucket that is refilled evenly; so in a window that begins between those it may be up to 2N"
)


class Hits:
    """Makes hits of keys of theirs, for buckets whose keys begin with `prefix` and a colon."""

    def __init__(self, prefix: str) -> None:
        self.prefix = f"{prefix}:"
        self._prefix = prefix

    def fixed(self, key: str, cost: float = 0) -> Hit:
        """Return a hit of `fixed-window`."""
        log_once(logging.WARNING, _FIXED)
        amount, seconds = quota_of(key)
        return self._hit(key, f"{amount}/{seconds} seconds window", amount, cost)

    def moving(self, key: str, amount: int, seconds: int, cost: float = 0) -> Hit:
        """Return a hit of `moving-window` or `sliding-window-counter`."""
        log_once(logging.WARNING, _MOVING)
        text = f"{amount}/{seconds} seconds; {amount}/{seconds} seconds window"
        return self._hit(key, text, amount, cost)

    def sliding(self, key: str) -> Hit:
        """Return a look at `sliding-window-counter`, which isn't told how much is allowed."""
        amount, seconds = quota_of(key)
        return self.moving(key, amount, seconds)

    def bucket(self, item: RateLimitItem, identifiers: tuple[str, ...], cost: float = 0) -> Hit:
        """Return a hit of `token-bucket`."""
        text = f"{item.amount}/{item.get_expiry()} seconds"
        return self._hit(item.key_for(*identifiers), text, item.amount, cost)

    def key(self, key: str) -> str:
        """Return the key of the buckets of a key of theirs."""
        return bucket_key(self._prefix, key)

    def _hit(self, key: str, text: str, amount: int, cost: float) -> Hit:
        return Hit(bucket_key(self._prefix, key), parse_limits(text), amount, whole(cost))
