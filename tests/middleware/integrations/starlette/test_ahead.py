"""A request like one before is asked about at the door; what was guessed wrong is given back."""

from collections.abc import Awaitable, Callable

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Host, Route
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Receive, Scope, Send

from sidegate import Limiter
from sidegate.limiter.checks.ahead import MAX_GUESSES, MAX_PATH, arrived
from sidegate.limiter.limiter import core_of
from sidegate.testing import Memory
from tests.support.middleware.counting_client import CountingClient

pytestmark = pytest.mark.usefixtures("sidegate")

Inner = Callable[[Scope], None]


class Looking:
    """A middleware between the limiter and the routes."""

    def __init__(self, app: ASGIApp, look: Inner) -> None:
        self.app = app
        self.look = look

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Look at each request."""
        if scope["type"] == "http":
            self.look(scope)
        await self.app(scope, receive, send)


async def view(request: Request) -> Response:
    return PlainTextResponse(request.url.path)


async def other(_: Request) -> Response:
    return PlainTextResponse("other")


def app_with(limiter: Limiter, look: Inner, *routes: Route | Host) -> TestClient:
    middleware = [Middleware(limiter.asgi), Middleware(Looking, look=look)]
    app = Starlette(routes=routes, middleware=middleware)
    return TestClient(app, raise_server_exceptions=False)


def limited(limiter: Limiter, limits: str = "5/hour") -> Callable[[Request], Awaitable[Response]]:
    """Return a view with a limit, which counts as "limited"."""

    @limiter.limit(limits, scope="limited")
    async def answer(_: Request) -> Response:
        return PlainTextResponse(str(limiter.current.remaining))

    return answer


KEY = "limited:testclient"


def test_the_second_request_is_asked_about_before_what_stands_inside() -> None:
    asked = CountingClient()
    limiter = Limiter(client=asked)
    seen: list[int] = []
    client = app_with(
        limiter, lambda _: seen.append(len(asked.single)), Route("/", limited(limiter))
    )
    for _ in range(3):
        assert client.get("/").status_code == 200
    assert seen == [0, 2, 3]
    assert len(asked.single) == 3


def test_it_is_charged_once_and_refused_as_behind_the_door(sidegate: Memory) -> None:
    limiter = Limiter()
    client = app_with(limiter, lambda _: None, Route("/", limited(limiter, "2/hour")))
    answers = [client.get("/") for _ in range(4)]
    assert [it.status_code for it in answers] == [200, 200, 429, 429]
    assert [it.text for it in answers[:2]] == ["1", "0"]
    assert answers[1].headers["ratelimit"] == '"limited";r=0;t=1800'
    assert sidegate.spent(KEY) == {"2/hour": 2}


def test_what_decides_inside_sees_no_decision_before_the_route() -> None:
    limiter = Limiter()
    seen: list[int | None] = []

    def look(_: Scope) -> None:
        seen.append(limiter.current.remaining)

    client = app_with(limiter, look, Route("/", limited(limiter)))
    for _ in range(2):
        client.get("/")
    assert seen == [None, None]


def test_a_guess_that_was_wrong_is_given_back_and_not_made_again(sidegate: Memory) -> None:
    limiter = Limiter()
    routes = (
        Host("a.test", Starlette(routes=[Route("/", limited(limiter))])),
        Host("b.test", Starlette(routes=[Route("/", limiter.limit("7/hour", scope="b")(other))])),
    )
    client = app_with(limiter, lambda _: None, *routes)
    for host in ("a.test", "a.test", "b.test", "b.test", "a.test"):
        assert client.get("/", headers={"host": host}).status_code == 200
    assert sidegate.spent(KEY) == {"5/hour": 3}
    assert sidegate.spent("b:testclient") == {"7/hour": 2}


class Stop(Exception):  # noqa: N818  # stops a request
    """Raised between the door and the route."""


@pytest.mark.parametrize("limits", [None, "9/hour"])
def test_a_request_that_comes_to_no_route_gets_it_back(
    sidegate: Memory, limits: str | None
) -> None:
    limiter = Limiter(limits)
    fails = False

    def look(_: Scope) -> None:
        if fails:
            raise Stop

    client = app_with(limiter, look, Route("/", limited(limiter)))
    assert client.get("/").status_code == 200
    fails = True
    assert client.get("/").status_code == 500
    fails = False
    assert client.get("/").status_code == 200
    assert sidegate.spent(KEY) == {"5/hour": 2}
    assert sidegate.spent("default:testclient") == ({} if limits is None else {"9/hour": 2})


def test_a_request_that_is_answered_before_its_route_pays_what_an_unknown_path_does(
    sidegate: Memory,
) -> None:
    limiter = Limiter("9/hour")

    class Answering(Looking):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            if "x-stop" in dict(Request(scope).headers) if scope["type"] == "http" else False:
                await PlainTextResponse("stopped", 401)(scope, receive, send)
            else:
                await self.app(scope, receive, send)

    middleware = [Middleware(limiter.asgi), Middleware(Answering, look=lambda _: None)]
    routes = [Route("/", limited(limiter))]
    client = TestClient(Starlette(routes=routes, middleware=middleware))
    for headers in ({}, {"x-stop": "1"}, {"x-stop": "1"}, {}):
        client.get("/", headers=headers)
    assert sidegate.spent(KEY) == {"5/hour": 2}
    assert sidegate.spent("default:testclient") == {"9/hour": 4}


def test_what_one_limiter_refuses_the_other_gives_back(sidegate: Memory) -> None:
    outer, inner = Limiter(service="outer"), Limiter(service="inner")

    @outer.limit("2/hour", scope="limited")
    @inner.limit("9/hour", scope="limited")
    async def answer(_: Request) -> Response:
        return PlainTextResponse("")

    middleware = [Middleware(outer.asgi), Middleware(inner.asgi)]
    client = TestClient(Starlette(routes=[Route("/", answer)], middleware=middleware))
    assert [client.get("/").status_code for _ in range(4)] == [200, 200, 429, 429]
    assert sidegate.spent("inner/limited:testclient") == {"9/hour": 2}


def test_charge_when_is_asked_about_what_was_charged_at_the_door(sidegate: Memory) -> None:
    limiter = Limiter()

    @limiter.limit("5/hour", scope="limited", charge_when=lambda _: False)
    async def answer(_: Request) -> Response:
        return PlainTextResponse("")

    client = app_with(limiter, lambda _: None, Route("/", answer))
    for _ in range(3):
        assert client.get("/").status_code == 200
    assert sidegate.spent(KEY) == {}


def test_a_mark_that_comes_later_counts_at_once() -> None:
    limiter = Limiter()
    answer = limited(limiter)
    client = app_with(limiter, lambda _: None, Route("/", answer))
    assert [client.get("/").status_code for _ in range(2)] == [200, 200]
    limiter.limit("1/hour", scope="more")(answer)
    assert [client.get("/").status_code for _ in range(2)] == [200, 429]
    limiter.exempt(answer)
    assert client.get("/").status_code == 200


def test_limits_that_the_app_decides_about_are_asked_at_the_route() -> None:
    asked = CountingClient()
    limiter = Limiter(client=asked)
    seen: list[int] = []

    def host(request: Request) -> str:
        return request.headers["host"]

    answer = limiter.limit("5/hour", key=host)(other)
    client = app_with(limiter, lambda _: seen.append(len(asked.single)), Route("/", answer))
    for _ in range(3):
        client.get("/")
    assert seen == [0, 1, 2]


def test_paths_that_are_made_up_fill_no_memory() -> None:
    limiter = Limiter("999999/hour")
    client = app_with(limiter, lambda _: None, Route("/{id}", view))
    core = core_of(limiter)
    client.get(f"/{'x' * MAX_PATH}")
    assert not core.guesses.known
    for number in range(MAX_GUESSES + 3):
        came = arrived({"path": str(number)})
        core.guesses.learn(came, (), None, core.enforcer, core.clients.loops)
    assert len(core.guesses.known) == 3
