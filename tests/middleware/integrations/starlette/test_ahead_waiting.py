"""What a request holds while it waits at the door: Python's collector looks at all of it."""

import asyncio
import gc
from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Scope

from sidegate import Decision, Limiter, Limits, RateLimitMiddleware, Source

LIMIT = "1000/hour"
AT_ONCE = 50


class Waiting:
    """A client whose checks wait until they are let go."""

    def __init__(self) -> None:
        self.futures: list[tuple[asyncio.Future[Decision], Limits]] = []

    def check(self, key: str, limits: Limits, cost: int) -> asyncio.Future[Decision]:
        """Wait."""
        assert (key.endswith(":192.0.2.1"), cost) == (True, 1)
        future: asyncio.Future[Decision] = asyncio.get_running_loop().create_future()
        self.futures.append((future, limits))
        return future

    def refund(self, key: str, *_: object) -> None:
        """Give nothing back: no guess is wrong here."""
        raise AssertionError(key)

    async def wait_for(self, number: int) -> None:
        """Wait until so many checks wait."""
        async with asyncio.timeout(20):
            while len(self.futures) < number:  # noqa: ASYNC110 - turns of the loop
                await asyncio.sleep(0)

    async def let_go(self, number: int) -> None:
        """Allow all that wait, once they are so many."""
        await self.wait_for(number)
        for future, limits in self.futures:
            future.set_result(Decision(True, limits, 1, [10**9], Source.OWNER, "n1"))
        self.futures.clear()


def home() -> Callable[[Request], Awaitable[Response]]:
    """Return a view: a mark on it stays there."""

    async def view(_: Request) -> Response:
        return PlainTextResponse("home")

    return view


async def _nothing() -> Message:
    return {"type": "http.request", "body": b""}


async def held_by_one(app: ASGIApp, client: Waiting) -> float:
    """Return how many objects of the collector's each request holds that waits for its check."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    def request() -> asyncio.Task[None]:
        scope: Scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
        scope["client"] = ("192.0.2.1", 50_000)
        return asyncio.ensure_future(app(scope, _nothing, send))

    for _ in range(3):  # the first is checked at its route, the others are like it
        first = request()
        await client.let_go(1)
        await first
    sent.clear()
    gc.collect()
    gc.disable()
    try:
        before = len(gc.get_objects())
        requests = [request() for _ in range(AT_ONCE)]
        await client.wait_for(AT_ONCE)
        held = len(gc.get_objects()) - before
    finally:
        gc.enable()
    await client.let_go(AT_ONCE)
    await asyncio.gather(*requests)
    assert [it["status"] for it in sent if it["type"] == "http.response.start"] == [200] * AT_ONCE
    return held / AT_ONCE


async def test_it_holds_no_more_than_one_that_waits_in_the_middleware() -> None:
    decorated, plain = Waiting(), Waiting()
    limiter = Limiter(client=decorated)
    app, other = Starlette(), Starlette()
    app.add_route("/", limiter.limit(LIMIT)(home()))
    app.add_middleware(limiter.asgi)
    other.add_route("/", home())
    other.add_middleware(RateLimitMiddleware, limits=LIMIT, client=plain)
    assert await held_by_one(app, decorated) <= await held_by_one(other, plain)
