"""What each limiter of these apps is given."""

from typing import Any

from sidegate import Limiter


def limiter_of(service: str, limits: str | None = None, **options: Any) -> Limiter:
    """Return a limiter whose buckets are its own, and which believes one proxy.

    So each test can be a client of its own. The budget lets a busy machine answer.
    """
    return Limiter(limits, service=service, trusted_proxies=1, budget=60.0, **options)
