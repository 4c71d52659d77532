"""The library `limits` on sidegate: a storage and a strategy; importing this registers both.

    import sidegate.compat.limits

    limiter = flask_limiter.Limiter(get_remote_address, storage_uri="sidegate://127.0.0.1:7171")

docs/apps/from-limits.md has what maps to what, and what differs.
"""

from sidegate.compat.limits.aio_storage import AsyncSidegateStorage
from sidegate.compat.limits.aio_strategy import AsyncTokenBucketRateLimiter
from sidegate.compat.limits.storage import SidegateStorage
from sidegate.compat.limits.strategy import TokenBucketRateLimiter

__all__ = [
    "AsyncSidegateStorage",
    "AsyncTokenBucketRateLimiter",
    "SidegateStorage",
    "TokenBucketRateLimiter",
]
