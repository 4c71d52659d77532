"""A sidecar of an older release knows no windows: then the policy decides, and nothing is a 500."""

from typing import Any, cast

import pytest
from limits import parse
from limits.aio.strategies import FixedWindowRateLimiter as AsyncFixedWindowRateLimiter
from limits.errors import StorageError
from limits.strategies import FixedWindowRateLimiter

from sidegate import BlockingClient, CheckError, Client, Decision
from sidegate.compat.limits import AsyncSidegateStorage, SidegateStorage

TEN = parse("10/minute")


class Older(BlockingClient):
    """Asks a sidecar that can't read what it is asked."""

    def check(self, *_: object, **__: object) -> Decision:
        raise CheckError("unknown unit")


class OlderInLoops(Client):
    """The same for event loops."""

    def check(self, *_: object, **__: object) -> Any:
        raise CheckError("unknown unit")


def limiter_of(policy: str) -> FixedWindowRateLimiter:
    storage = SidegateStorage("sidegate://", on_unreachable=policy)
    refuses = "closed" if policy == "raise" else policy
    cast("Any", storage)._client = Older(on_unreachable=refuses)
    return FixedWindowRateLimiter(storage)


@pytest.mark.parametrize(("policy", "allowed"), [("open", 12), ("local", 10), ("closed", 0)])
def test_the_policy_decides(policy: str, allowed: int) -> None:
    limiter = limiter_of(policy)
    assert sum(limiter.hit(parse("10/year"), "alice") for _ in range(12)) == allowed


def test_raise_raises_theirs() -> None:
    with pytest.raises(StorageError):
        limiter_of("raise").hit(TEN, "alice")


async def test_it_is_the_same_in_loops() -> None:
    storage = AsyncSidegateStorage("async+sidegate://")
    cast("Any", storage)._client = OlderInLoops()
    assert await AsyncFixedWindowRateLimiter(storage).hit(TEN, "alice")
