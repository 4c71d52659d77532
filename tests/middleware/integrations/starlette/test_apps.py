"""Starlette: one limiter or several, on one app or several, in any loop and any test client."""

# A function of the request is one of any framework's, so lambdas have no types.
# pyright: reportUnknownLambdaType=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false

from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Receive, Scope, Send

from sidegate import Limiter, RateLimitMiddleware
from sidegate.testing import Memory
from tests.support.apps.limited import asking, client_of, hello, statuses
from tests.support.middleware.counting_client import CountingClient

pytestmark = pytest.mark.usefixtures("sidegate")


def two_limiters() -> tuple[Limiter, Limiter, Starlette]:
    one, two = Limiter("9/minute", service="one"), Limiter("8/minute", service="two")

    @one.limit("3/minute")
    @two.limit("2/minute")
    async def view(_: Request) -> Response:
        return PlainTextResponse("x")

    app = Starlette(routes=[Route("/x", view)])
    app.add_middleware(one.asgi)
    app.add_middleware(two.asgi)
    return one, two, app


def test_two_limiters_on_one_app_check_each_its_own_limits(sidegate: Memory) -> None:
    _, _, app = two_limiters()
    client = TestClient(app)
    first = client.get("/x")
    assert first.status_code == 200
    quotas = first.headers["ratelimit-policy"]
    assert [f"q={quota};" in quotas for quota in (9, 8, 3, 2)] == [True] * 4
    assert statuses(client, "/x", "/x", "/x", "/y") == [200, 429, 429, 404]
    assert len(sidegate.keys()) == 4


def test_what_the_outer_limiter_refuses_is_not_charged_by_the_inner_one(sidegate: Memory) -> None:
    """Nor does its refusal take the place of the other's."""
    few, many = Limiter("1/minute", service="few"), Limiter("2/minute", service="many")
    app = Starlette(routes=[Route("/x", hello)])
    app.add_middleware(many.asgi)
    app.add_middleware(few.asgi)
    assert statuses(TestClient(app), "/x", "/x", "/x", "/x") == [200, 429, 429, 429]
    assert sidegate.spent("many/default:testclient") == {"2/minute": 1}


def test_neither_exempts_for_the_other() -> None:
    one, two = Limiter(default_limits="1/minute"), Limiter(default_limits="2/minute")
    app = Starlette(routes=[Route("/x", one.exempt(lambda _: PlainTextResponse()))])
    app.add_middleware(one.asgi)
    assert statuses(asking(two, app), "/x", "/x", "/x") == [200, 200, 429]


def test_one_limiter_on_two_apps_has_the_same_buckets_for_both() -> None:
    limiter = Limiter("3/minute")
    one = client_of(limiter, Route("/x", hello))
    two = client_of(limiter, Route("/y", hello))
    assert statuses(one, "/x", "/x") == statuses(two, "/y") * 2 == [200, 200]
    assert statuses(one, "/x") == statuses(two, "/y") == [429]


class Hiding:
    """A middleware from which nobody can tell what it goes around."""

    def __init__(self, app: ASGIApp) -> None:
        self._hidden = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._hidden(scope, receive, send)


def test_a_middleware_inside_may_hide_the_app(caplog: pytest.LogCaptureFixture) -> None:
    """It says itself who it is, in each request: limits by default apply all the same."""
    limiter = Limiter("3/minute", default_limits="2/minute")
    app = Starlette(routes=[Route("/x", hello)])
    app.add_middleware(Hiding)
    app.add_middleware(limiter.asgi)
    assert statuses(TestClient(app), "/x", "/x", "/x", "/y", "/y") == [200, 200, 429, 404, 429]
    assert "do NOT apply" not in caplog.text


def test_a_limiter_twice_around_an_app_counts_once(sidegate: Memory) -> None:
    limiter = Limiter("9/minute", default_limits="5/minute")
    app = Starlette(routes=[Route("/x", hello)])
    app.add_middleware(limiter.asgi)
    response = asking(limiter, app).get("/x")
    assert response.status_code == 200
    keys = sidegate.keys()
    assert [sum(sidegate.spent(key).values()) for key in keys] == [1, 1]


def test_the_middleware_and_a_limiter_may_stand_around_one_app() -> None:
    limiter = Limiter(default_limits="2/minute")
    app = Starlette(routes=[Route("/x", hello)])
    app.add_middleware(RateLimitMiddleware, limits="3/minute")
    client = asking(limiter, app)
    assert statuses(client, "/x", "/x", "/x", "/y") == [200, 200, 429, 429]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("within", [True, False])
def test_a_test_client_works_with_and_without_a_block_in_any_loop(
    within: bool, backend: Any, sidegate: Memory
) -> None:
    limiter = Limiter(default_limits="2/minute", key=later)
    app = Starlette(routes=[Route("/x", limiter.limit("2/minute; 9/hour")(hello_again))])
    app.add_middleware(limiter.asgi)
    client = TestClient(app, backend=backend)
    if within:
        with client:
            assert statuses(client, "/x", "/x", "/x") == [200, 200, 429]
    else:
        assert statuses(client, "/x", "/x", "/x") == [200, 200, 429]
    with TestClient(app, backend=backend) as again:
        assert statuses(again, "/x") == [429]
    sidegate.advance(30)
    assert statuses(client, "/x", "/x") == [200, 429]


async def later() -> str:
    """Be a key that is awaited."""
    return "me"


def hello_again(request: Request) -> Response:
    return hello(request)


# --- one check


def test_limits_with_one_key_are_one_check_and_keys_one_frame(sidegate: Memory) -> None:
    client = CountingClient()
    limiter = Limiter(client=client, service="shop")

    @limiter.limit("5/minute")
    @limiter.limit("20/hour")
    @limiter.limit("100/day")
    async def three(_: Request) -> Response:
        return PlainTextResponse("x")

    @limiter.limit("2/minute")
    @limiter.shared_limit("3/minute", "db")
    @limiter.shared_limit("4/minute", "db", key=lambda: "all")
    async def keys(_: Request) -> Response:
        return PlainTextResponse("x")

    asked = client_of(limiter, Route("/three", three), Route("/keys", keys), Route("/none", hello))
    asked.get("/three")
    ((key, limits),) = client.single
    assert (key.endswith(":testclient"), limits) == (True, "5/minute; 20/hour; 100/day")
    assert client.together == []
    client.single.clear()
    asked.get("/keys")
    ((first, *others),) = client.together
    assert first[0].endswith(":testclient")
    assert others == [("shop/db:testclient", "3/minute"), ("shop/db:all", "4/minute")]
    assert client.single == []
    asked.get("/none")
    assert (client.single, len(client.together)) == ([], 1)
    assert len(sidegate.keys()) == 4


def test_a_request_that_one_limit_refuses_is_charged_to_none(sidegate: Memory) -> None:
    """Whether they have one key or several."""
    limiter = Limiter("9/minute", default_limits="8/minute")
    one = limiter.limit("1/minute; 5/hour")(lambda _: PlainTextResponse())
    client = client_of(limiter, Route("/x", one))
    assert statuses(client, "/x", "/x", "/x") == [200, 429, 429]
    keys = sidegate.keys()
    spent = [sidegate.spent(key) for key in keys]
    assert sorted(spent, key=len) == [{"9/minute": 1}, {"1/minute": 1, "5/hour": 1}]


def test_the_same_limit_twice_is_charged_once(sidegate: Memory) -> None:
    """Also when the app inside has it again."""
    limiter = Limiter()
    shared = limiter.shared_limit("5/minute", "db")
    view = shared(shared(lambda _: PlainTextResponse()))
    assert statuses(client_of(limiter, Mount("/a", routes=[Route("/x", view)])), "/a/x") == [200]
    assert sidegate.spent("db:testclient") == {"5/minute": 1}


def test_more_limits_than_a_check_holds_are_several(sidegate: Memory) -> None:
    client = CountingClient()
    limiter = Limiter(client=client)

    async def view(_: Request) -> Response:
        return PlainTextResponse("x")

    for at in range(10):
        limiter.limit(f"{at + 2}/hour")(view)
    assert statuses(client_of(limiter, Route("/x", view)), "/x", "/x", "/x") == [200, 200, 429]
    assert len(client.together) == 3
    assert len(sidegate.keys()) == 1
