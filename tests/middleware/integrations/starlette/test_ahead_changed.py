"""What stands between the door and the route may change a request: then the route has the say."""

import asyncio
from collections.abc import Callable

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sidegate import Limiter, header
from sidegate.limiter.checks.ahead import MAX_PATH
from sidegate.limiter.limiter import core_of
from sidegate.testing import Memory
from tests.support.middleware.counting_client import CountingClient

pytestmark = pytest.mark.usefixtures("sidegate")


class Changing:
    """A middleware between the limiter and the routes that changes the scope as it is."""

    def __init__(self, app: ASGIApp, change: Callable[[Scope], None]) -> None:
        self.app = app
        self.change = change

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Change each request."""
        if scope["type"] == "http":
            self.change(scope)
        await self.app(scope, receive, send)


def asked_by(request: Scope | Request, name: str) -> str:
    return (request if isinstance(request, Request) else Request(request)).headers.get(name, "")


def app_with(limiter: Limiter, change: Callable[[Scope], None], *routes: BaseRoute) -> TestClient:
    middleware = [Middleware(limiter.asgi), Middleware(Changing, change=change)]
    return TestClient(Starlette(routes=routes, middleware=middleware))


async def view(_: Request) -> Response:
    return PlainTextResponse("")


def override(scope: Scope) -> None:
    if method := asked_by(scope, "x-method"):
        scope["method"] = method


def test_another_method_has_its_own_limits() -> None:
    """With a middleware that takes the method from a header, as some frameworks have one."""
    limiter = Limiter()
    limiter.limit("9/hour", methods=["POST"])(view_of := limited_view())
    limiter.limit("2/hour", methods=["DELETE"])(view_of)
    client = app_with(limiter, override, Route("/", view_of, methods=["POST", "DELETE"]))
    assert [client.post("/").status_code for _ in range(3)] == [200] * 3
    answers = [client.post("/", headers={"x-method": "DELETE"}) for _ in range(3)]
    assert [it.status_code for it in answers] == [200, 200, 429]


def limited_view() -> Callable[[Request], object]:
    async def answer(_: Request) -> Response:
        return PlainTextResponse("")

    return answer


def test_a_route_that_cannot_be_seen_behind_a_mounted_app_has_its_limits_too() -> None:
    limiter = Limiter("9/hour")
    inner = Starlette(routes=[Route("/", limiter.limit("2/hour")(limited_view()))])

    async def hidden(scope: Scope, receive: Receive, send: Send) -> None:
        await inner(scope, receive, send)

    client = app_with(limiter, lambda _: None, Mount("/in", app=hidden))
    answers = [client.get("/in/").status_code for _ in range(4)]
    assert answers == [200, 200, 429, 429]


def test_the_address_that_a_middleware_inside_has_found_out_is_the_one_that_counts(
    sidegate: Memory,
) -> None:
    """As before its first request has taught the door anything."""
    limiter = Limiter()

    def forwarded(scope: Scope) -> None:
        scope["client"] = (asked_by(scope, "x-forwarded-for"), 0)

    answer = limiter.limit("2/hour", scope="limited")(limited_view())
    client = app_with(limiter, forwarded, Route("/", answer))
    for address in ("192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.1"):
        assert client.get("/", headers={"x-forwarded-for": address}).status_code == 200
    assert sidegate.spent("limited:192.0.2.1") == {"2/hour": 2}
    assert sidegate.spent("limited:192.0.2.3") == {"2/hour": 1}
    assert sidegate.spent("limited:testclient") == {}


@pytest.mark.parametrize("in_place", [True, False])
def test_the_header_that_a_middleware_inside_has_set_is_the_one_that_counts(
    sidegate: Memory, in_place: bool
) -> None:
    limiter = Limiter()

    def known(scope: Scope) -> None:
        line = (b"x-user", asked_by(scope, "x-token").upper().encode())
        if in_place:
            scope["headers"].append(line)
        else:
            scope["headers"] = [*scope["headers"], line]

    key = header("x-user")
    answer = limiter.limit("2/hour", key=key, scope="limited")(limited_view())
    client = app_with(limiter, known, Route("/", answer))
    for token in ("a", "b", "c", "a"):
        assert client.get("/", headers={"x-token": token}).status_code == 200
    assert sidegate.spent("limited:x-user=A") == {"2/hour": 2}
    assert sidegate.spent("limited:x-user=C") == {"2/hour": 1}


def test_a_middleware_that_only_looks_at_headers_changes_nothing() -> None:
    asked = CountingClient()
    limiter = Limiter(client=asked)
    seen: list[int] = []

    def look(scope: Scope) -> None:
        asked_by(scope, "x-user")  # Starlette puts a copy of the headers into the scope
        seen.append(len(asked.single))

    client = app_with(limiter, look, Route("/", limiter.limit("9/hour")(limited_view())))
    for _ in range(3):
        client.get("/")
    assert seen == [0, 2, 3]
    assert len(asked.single) == 3


def test_a_path_that_is_exempt_once_it_is_rewritten_is_not_charged(sidegate: Memory) -> None:
    limiter = Limiter("9/hour", exempt=["/health"])
    rewrites = False

    def rewrite(scope: Scope) -> None:
        if rewrites:
            scope["path"] = "/health"

    route = Route("/{name}", limited_view())
    client = app_with(limiter, rewrite, route)
    client.get("/other")
    rewrites = True
    client.get("/other")
    assert sidegate.spent("default:testclient") == {"9/hour": 1}


def test_a_wrong_guess_is_not_made_again_where_paths_are_rewritten() -> None:
    asked = CountingClient()
    limiter = Limiter(client=asked)
    one = limiter.limit("7/hour", scope="one")(limited_view())
    two = limiter.limit("8/hour", scope="two")(limited_view())

    def rewrite(scope: Scope) -> None:
        if asked_by(scope, "x-two"):
            scope["path"] = "/two"

    client = app_with(limiter, rewrite, Route("/one", one), Route("/two", two))
    client.get("/one")
    for _ in range(3):
        client.get("/one", headers={"x-two": "1"})
    assert [limits for _, limits in asked.single] == ["7/hour", "7/hour", *["8/hour"] * 3]


def test_methods_that_are_made_up_fill_no_memory() -> None:
    limiter = Limiter("999999/hour")
    client = app_with(limiter, lambda _: None, Route("/", _AnyMethod))
    client.request("X" * MAX_PATH * 10, "/")
    assert not core_of(limiter).guesses.known


class _AnyMethod:
    """An app that takes all methods, as a class of one."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked = scope, receive, send

    def __await__(self) -> object:
        return PlainTextResponse("")(*self.asked).__await__()


async def test_who_is_cancelled_between_the_door_and_the_route_gets_it_back(
    sidegate: Memory,
) -> None:
    """As a server cancels a request whose client has hung up."""
    limiter = Limiter()
    waits, holds = asyncio.Event(), False

    class Holding(Changing):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            if holds:
                waits.set()
                await asyncio.Event().wait()
            await self.app(scope, receive, send)

    answer = limiter.limit("9/hour", scope="limited")(limited_view())
    middleware = [Middleware(limiter.asgi), Middleware(Holding, change=lambda _: None)]
    app = Starlette(routes=[Route("/", answer)], middleware=middleware)
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    def request() -> Scope:
        about = {"type": "http", "method": "GET", "path": "/", "query_string": b""}
        return {**about, "headers": [], "client": ("192.0.2.1", 1), "root_path": ""}

    await app(request(), receive, send)
    assert sent[0]["status"] == 200
    holds = True
    asking = asyncio.ensure_future(app(request(), receive, send))
    await waits.wait()
    assert sidegate.spent("limited:192.0.2.1") == {"9/hour": 2}
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    assert sidegate.spent("limited:192.0.2.1") == {"9/hour": 1}
