"""Starlette: limits are those of the route that a request comes to, whatever its endpoint is."""

# A function of the request is one of any framework's, so lambdas have no types.
# pyright: reportUnknownLambdaType=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false

from collections.abc import Callable
from functools import partial, wraps
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Host, Mount, Route, Router
from starlette.staticfiles import StaticFiles
from starlette.testclient import TestClient

from sidegate import Limiter
from sidegate.asgi.types import App, Receive, Scope, Send
from sidegate.testing import Memory
from tests.support.apps.limited import client_of, hello, statuses, views

pytestmark = pytest.mark.usefixtures("sidegate")

TWICE = [200, 200, 429]


async def plain(scope: Scope, receive: Receive, send: Send) -> None:
    """Is an ASGI app without routes."""
    await PlainTextResponse("plain")(scope, receive, send)


class Around:
    """Is a middleware around an app."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


def hiding(app: App) -> App:
    """Return an app in which nobody can find the one inside."""

    async def hidden(scope: Scope, receive: Receive, send: Send) -> None:
        await app(scope, receive, send)

    return hidden


def logged(function: Callable[..., Any]) -> Callable[..., Any]:
    """Be a decorator that somebody has written."""

    @wraps(function)
    def called(*arguments: Any) -> Any:
        return function(*arguments)

    return called


class Views:
    """Has endpoints of all kinds, of which the app takes the methods."""

    limiter = Limiter(key=lambda: "me")

    @limiter.limit("2/minute")
    def in_thread(self, _: Request) -> Response:
        return PlainTextResponse("ok")

    @limiter.limit("2/minute")
    async def in_loop(self, _: Request) -> Response:
        return PlainTextResponse("ok")

    @classmethod
    @limiter.limit("2/minute")
    def above(cls, _: Request) -> Response:
        return PlainTextResponse("ok")

    @limiter.limit("2/minute")
    @classmethod
    def below(cls, _: Request) -> Response:
        return PlainTextResponse("ok")

    @limiter.limit("2/minute")
    @staticmethod
    def static(_: Request) -> Response:
        return PlainTextResponse("ok")

    @logged
    @limiter.limit("2/minute")
    def inside(self, _: Request) -> Response:
        return PlainTextResponse("ok")

    @limiter.limit("2/minute")
    @logged
    def outside(self, _: Request) -> Response:
        return PlainTextResponse("ok")

    @limiter.limit("2/minute")
    async def given(self, _: int, __: Request) -> Response:
        return PlainTextResponse("ok")


ENDPOINTS = {
    name: getattr(Views(), name)
    for name in ("in_thread", "in_loop", "above", "below", "static", "inside", "outside")
} | {
    "partial": partial(Views().given, 7),
    "partial of a partial": partial(partial(Views().given), 7),
    "marked partial": Views.limiter.limit("2/minute")(partial(lambda _, __: hello(__), 7)),
    "lambda": Views.limiter.limit("2/minute")(lambda _: PlainTextResponse("ok")),
}


@pytest.mark.parametrize("kind", ENDPOINTS)
def test_a_function_of_any_kind_is_limited(kind: str, sidegate: Memory) -> None:
    client = client_of(Views.limiter, Route("/x", ENDPOINTS[kind]), Route("/y", hello))
    assert statuses(client, "/x", "/x", "/x") == TWICE
    assert statuses(client, "/y") == [200]
    assert len(sidegate.keys()) == 1


def test_functions_of_one_name_have_buckets_of_their_own() -> None:
    """A lambda, a closure or a method of another object is another endpoint."""
    one, two = views(2)
    routes = [
        *[Route("/a", one), Route("/b", two), Route("/c", Views().in_loop)],
        *[Route("/d", Views().in_loop), Route("/e", partial(one)), Route("/f", partial(two))],
        *[Route("/g", lambda _: PlainTextResponse()), Route("/h", lambda _: PlainTextResponse())],
    ]
    client = client_of(Limiter(default_limits="1/minute"), *routes)
    paths = [route.path for route in routes]
    assert statuses(client, *paths, *paths) == [200] * len(paths) + [429] * len(paths)


def test_one_function_at_two_paths_is_limited_once() -> None:
    """It is counted by route, whatever path was asked for."""
    client = client_of(
        Limiter(default_limits="2/minute"), Route("/a/{x}", hello), Route("/b", hello)
    )
    assert statuses(client, "/a/1", "/b", "/a/2", "/b") == [*TWICE, 429]


def test_a_class_of_views_has_limits_and_each_method_its_own(sidegate: Memory) -> None:
    limiter = Limiter(service="shop")

    @limiter.limit("3/minute")
    class Items(HTTPEndpoint):
        @limiter.limit("1/minute")
        async def get(self, request: Request) -> Response:
            return hello(request)

        @limiter.limit("1/minute")
        def post(self, request: Request) -> Response:
            return hello(request)

        @limiter.exempt
        def put(self, request: Request) -> Response:
            return hello(request)

        def delete(self, request: Request) -> Response:
            return hello(request)

    client = client_of(limiter, Route("/x", Items))
    assert statuses(client, "/x", "/x") == [200, 429]
    assert statuses(client, "/x", "/x", method="POST") == [200, 429]
    assert statuses(client, *["/x"] * 5, method="PUT") == [200] * 5
    assert statuses(client, "/x", "/x", method="DELETE") == [200, 429]
    assert len(sidegate.keys()) == 3


def test_an_inherited_view_is_limited_for_each_class() -> None:
    limiter = Limiter()

    class Base(HTTPEndpoint):
        @limiter.limit("1/minute")
        async def get(self, request: Request) -> Response:
            return hello(request)

    one, two = type("One", (Base,), {}), type("Two", (Base,), {})
    client = client_of(limiter, Route("/1", one), Route("/2", two))
    assert statuses(client, "/1", "/2", "/1", "/2") == [200, 200, 429, 429]


def test_a_head_counts_as_a_get_of_the_same_code() -> None:
    limiter = Limiter()

    class Items(HTTPEndpoint):
        @limiter.limit("2/minute", methods=["GET"])
        async def get(self, request: Request) -> Response:
            return hello(request)

    @limiter.limit("2/minute", methods=["GET"], per_method=True)
    def view(request: Request) -> Response:
        return hello(request)

    client = client_of(limiter, Route("/c", Items), Route("/f", view))
    for path in ("/c", "/f"):
        assert [client.head(path).status_code, client.get(path).status_code] == [200, 200]
        refused = client.head(path)
        assert (refused.status_code, refused.content) == (429, b"")
        assert int(refused.headers["content-length"]) == len(client.get(path).content)


@pytest.mark.parametrize("method", ["PROPFIND", "QUERY", "PATCH", "TRACE"])
def test_a_method_of_any_name_has_its_limit(method: str) -> None:
    limiter = Limiter()
    marked = limiter.limit("1/minute", methods=[method.lower()])(lambda _: PlainTextResponse())
    client = client_of(limiter, Route("/x", marked, methods=[method, "GET"]))
    assert statuses(client, "/x", "/x", method=method) == [200, 429]
    assert statuses(client, "/x", "/x") == [200, 200]


def test_an_asgi_app_may_be_an_endpoint() -> None:
    limiter = Limiter(default_limits="1/minute")
    client = client_of(limiter, Route("/x", Around(plain)), Route("/y", Around(plain)))
    assert statuses(client, "/x", "/y", "/x", "/y") == [200, 200, 429, 429]


# --- apps in apps


def test_a_mounted_app_of_any_kind_is_one_route(tmp_path: Path) -> None:
    limiter = Limiter(default_limits="2/minute")
    client = client_of(
        limiter,
        Mount("/p", plain),
        Mount("/w", Around(plain)),
        Mount("/s", StaticFiles(directory=tmp_path)),
    )
    for path in ("/p/{}", "/w/{}"):
        assert statuses(client, *(path.format(at) for at in "abc")) == TWICE
    assert statuses(client, "/s/a", "/s/b", "/s/c") == [404, 404, 429]


@pytest.mark.parametrize("wrap", [lambda app: app, Around, lambda app: Around(Around(app)), hiding])
def test_routes_of_a_mounted_app_are_limited_however_it_is_wrapped(
    wrap: Callable[[App], App],
) -> None:
    limiter = Limiter()
    marked = limiter.limit("2/minute")(lambda _: PlainTextResponse())
    for path in ("/x", "/y"):
        routes = [Route(path, marked)]
        inner = wrap(Starlette(routes=routes) if path == "/x" else Router(routes))
        outer = Mount("/a", routes=[Mount("/b/{tenant}", inner)])
        client = client_of(limiter, outer, Host("x.test", inner))
        assert statuses(client, *(f"/a/b/{tenant}{path}" for tenant in "123")) == TWICE
        assert statuses(client, f"http://x.test{path}") == [429]


def test_a_mounted_app_may_have_the_same_limiter_and_counts_once(sidegate: Memory) -> None:
    limiter = Limiter("9/minute", service="shop")
    inner = Starlette(
        routes=[Route("/x", limiter.limit("2/minute")(lambda _: PlainTextResponse()))]
    )
    inner.add_middleware(limiter.asgi)
    client = client_of(limiter, Mount("/a", inner))
    assert statuses(client, "/a/x", "/a/x", "/a/x", "/a/nothing") == [*TWICE, 404]
    assert sidegate.spent("shop/default:testclient") == {"9/minute": 3}


def test_a_router_alone_is_an_app_too() -> None:
    """It has no error handlers, and so the usual response goes out."""
    limiter = Limiter("4/minute")
    limited = limiter.limit("1/minute")(lambda _: PlainTextResponse())
    client = TestClient(limiter.asgi(Router([Route("/x", limited)])))
    assert statuses(client, "/x", "/x", "/y", "/y", "/y", "/y") == [200, 429, 404, 404, 404, 429]
    assert client.get("/x").headers["content-type"] == "application/problem+json"


def test_init_app_is_the_same_as_the_middleware() -> None:
    limiter = Limiter(default_limits="1/minute")
    app = Starlette(routes=[Route("/x", hello)])
    limiter.init_app(app)
    assert statuses(TestClient(app), "/x", "/x") == [200, 429]


# --- what is no route


def test_what_is_not_found_counts_for_the_application_only() -> None:
    limiter = Limiter("3/minute", default_limits="1/minute")
    client = client_of(limiter, Route("/x", hello))
    assert statuses(client, "/a", "/b", "/c", "/d") == [404, 404, 404, 429]
    assert client.get("/x").status_code == 429


def test_a_method_that_a_route_does_not_take_is_not_charged_to_it() -> None:
    limiter = Limiter("4/minute", default_limits="1/minute")
    client = client_of(limiter, Route("/x", hello))
    assert statuses(client, "/x", "/x", "/x", method="POST") == [405] * 3
    assert statuses(client, "/x") == [200]
    assert statuses(client, "/x", method="POST") == [429]


def test_a_redirect_counts_for_the_application_and_its_target_for_the_route() -> None:
    limiter = Limiter("9/minute", default_limits="1/minute")
    client = client_of(limiter, Route("/x/", hello))
    assert statuses(client, "/x", "/x", "/x", follow_redirects=False) == [307] * 3
    assert statuses(client, "/x", "/x/") == [200, 429]
    assert statuses(client, "/x", *["/x/"] * 3, follow_redirects=False) == [307, 429, 429, 429]


class OwnRoute(Route):
    """Handles requests in a way of its own."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


def test_routes_of_a_class_of_the_app_are_limited() -> None:
    client = client_of(Limiter(default_limits="1/minute"), OwnRoute("/x", hello))
    assert statuses(client, "/x", "/x") == [200, 429]


def test_an_app_without_a_limiter_is_as_it_was() -> None:
    """Routes are shared by all apps of the process."""
    client_of(Limiter(default_limits="1/minute"), Route("/x", hello)).get("/x")
    assert statuses(TestClient(Starlette(routes=[Route("/x", hello)])), *["/x"] * 3) == [200] * 3
