"""At hand: what an event loop decides at once is what `check` would say, and costs as much."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from sidegate import Client, RateLimitMiddleware
from sidegate.asgi.at_hand import at_hand
from sidegate.asgi.other_loops import AnyLoop
from sidegate.buckets.limits import SECOND, parse_limits
from sidegate.http.paid import PAID
from sidegate.testing import isolated
from tests.middleware.client.leases.lending import LIMITS, borrowed, busy, hot, lend
from tests.middleware.client.puppet_client import pair, say

if TYPE_CHECKING:
    from collections.abc import Mapping

OF_K = parse_limits(LIMITS)


async def test_a_lease_decides_at_once_and_is_spent_as_by_check() -> None:
    async with pair(lease=True) as (asking, other):
        decide = at_hand(asking)
        assert decide("k", OF_K, 1) is None  # in no loop that has asked
        await hot(asking, other)
        assert decide("k", OF_K, 1) is None  # nothing is lent yet
        await lend(other, 20)
        await borrowed(asking, 20)
        first = decide("k", OF_K, 1)
        assert first == await asking.check("k", OF_K)
        costly = decide("k", OF_K, 5)
        assert costly is not None
        assert (costly.source, costly.cost) == ("lease", 5)
        await borrowed(asking, 13)
        assert decide("another", OF_K, 1) is None
        assert decide("k", OF_K, 0) is None  # a look is the owner's to answer


async def test_a_denial_that_holds_is_told_at_once() -> None:
    daily = parse_limits("5/day")
    async with pair(remember_denials=True) as (asking, other):
        denied = asking.check("k", daily)
        await say(other, [0, 86_400 * SECOND])
        assert not (await denied).allowed
        told = at_hand(asking)("k", daily, 1)
        assert told is not None
        assert (told.allowed, told.source) == (False, "remembered")


async def test_outside_of_the_loop_that_asked_last_nothing_is_at_hand() -> None:
    async with pair(lease=True) as (asking, other):
        decide = at_hand(asking)
        await busy(asking, other, 20)

        async def there() -> object:
            return decide("k", OF_K, 1)

        assert await asyncio.to_thread(decide, "k", OF_K, 1) is None
        assert await asyncio.to_thread(asyncio.run, there()) is None
        await borrowed(asking, 20)
        assert decide("k", OF_K, 1) is not None


async def test_what_others_have_made_of_a_client_is_asked_by_check_only() -> None:
    class Own(Client):
        """A client whose `check` an app has changed."""

    async with pair(lease=True) as (asking, other):
        await busy(asking, other, 20)
        assert at_hand(asking)("k", OF_K, 1) is not None
        vars(asking)["check"] = asking.check  # as tracing does
        assert at_hand(asking)("k", OF_K, 1) is None
        assert at_hand(Own("off"))("k", OF_K, 1) is None
        assert at_hand(object())("k", OF_K, 1) is None
        assert at_hand(AnyLoop({"sidecar": "off"}))("k", OF_K, 1) is None


async def test_a_test_without_a_sidecar_has_nothing_at_hand() -> None:
    async with pair(lease=True) as (asking, other):
        await busy(asking, other, 20)
        with isolated():
            assert at_hand(asking)("k", OF_K, 1) is None


async def test_a_request_that_passes_at_once_pays_once_and_says_what_others_say() -> None:
    """Whatever stands around the app twice, and whatever a server leaves out of a scope."""
    seen: list[Mapping[str, Any]] = []
    starts: list[Any] = []

    async def app(scope: Mapping[str, Any], _receive: object, send: Any) -> None:
        seen.append(scope)
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body"})

    async def send(message: Mapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            starts.append(message)

    async def ask(layers: Any, **scope: Any) -> None:
        whole: dict[str, Any] = {
            "type": "http",
            "path": "/",
            "headers": [],
            "client": ("10.0.0.1", 9),
            **scope,
        }
        await layers(whole, None, send)

    async with pair(lease=True) as (asking, other):
        inner = RateLimitMiddleware(app, limits=LIMITS, client=asking)
        twice = RateLimitMiddleware(inner, limits=LIMITS, client=asking)
        (rule,) = inner._limiter.rules
        key = "default:10.0.0.1"
        while not asking._here().leases.table:
            futures = [asking.check(key, rule.limits) for _ in range(10)]
            await say(other, *[[1, 0] for _ in futures])
            await asyncio.gather(*futures)
        await lend(other, 20)
        await borrowed(asking, 20)
        await ask(twice)
        await borrowed(asking, 19)
        assert list(seen[-1][PAID]) == [(key, LIMITS)]
        names = [name for name, _ in starts[-1]["headers"]]
        assert names == [b"ratelimit-policy", b"ratelimit"]
        await ask(inner, method="GET")
        await borrowed(asking, 18)
