"""Limits in Quart: of views, by functions that may be coroutine functions."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from quart import Blueprint, Quart, Request, Response, g, jsonify, request, session
from quart.views import MethodView
from werkzeug.exceptions import HTTPException

from sidegate import Limiter, RateLimitExceeded, header
from sidegate.testing import Memory
from tests.support.middleware.checker import items

pytestmark = pytest.mark.usefixtures("sidegate")


def new_app(limiter: Limiter) -> Quart:
    app = Quart("shop")
    app.secret_key = "secret"
    limiter.init_app(app)
    limiter.init_app(app)
    return app


async def ask(
    app: Quart, path: str, times: int = 1, method: str = "GET", **options: Any
) -> list[Response]:
    clients: list[Any] = [app.test_client() for _ in range(times)]
    return [await client.open(path, method=method, **options) for client in clients]


async def statuses(
    app: Quart, path: str, times: int = 1, method: str = "GET", **options: Any
) -> list[int]:
    return [it.status_code for it in await ask(app, path, times, method, **options)]


async def test_limits_of_views(sidegate: Memory) -> None:
    """Of functions of both kinds, of methods of a class and of a blueprint, and by default."""
    limiter = Limiter("100/minute", default_limits="3/minute", service="s")
    app = new_app(limiter)

    @app.get("/coroutine/<int:item>")
    @limiter.limit("2/minute")
    async def coroutine(item: int) -> dict[str, Any]:
        return {"left": limiter.current.remaining, "item": item}

    @limiter.limit("2/minute")
    @app.get("/plain")
    def plain() -> str:
        return str(limiter.current.remaining)

    class Things(MethodView):
        @limiter.limit("1/minute")
        async def get(self) -> str:
            return "got"

        @limiter.limit("1/minute")
        async def post(self) -> str:
            return "posted"

    app.add_url_rule("/things", view_func=Things.as_view("things"))
    api = Blueprint("api", "shop")
    limiter.limit("1/minute")(api)
    api.add_url_rule("/own", "own", limiter.exempt(lambda: "ok"))
    api.add_url_rule("/api", "api", lambda: "ok")
    app.register_blueprint(api)
    app.add_url_rule("/default", "default", lambda: "ok")

    answers = await ask(app, "/coroutine/1", 2) + await ask(app, "/coroutine/2")
    assert [it.status_code for it in answers] == [200, 200, 429]
    assert await answers[1].get_json() == {"left": 0, "item": 1}
    assert items(answers[0].headers.getlist("ratelimit")[1])["coroutine"]["r"] == 1
    assert [await it.get_data() for it in await ask(app, "/plain", 2)] == [b"1", b"0"]
    assert await statuses(app, "/things", 2) == [200, 429]
    assert await statuses(app, "/things", 2, "POST") == [200, 429]
    assert await statuses(app, "/api", 2) == [200, 429]
    assert await statuses(app, "/own", 4) == [200] * 4
    assert await statuses(app, "/default", 4) == [200] * 3 + [429]
    assert await statuses(app, "/nowhere", 4) == [404] * 4
    assert await statuses(app, "/things", 2, "OPTIONS") == [200] * 2
    assert sidegate.spent("s/shop.coroutine:unknown") == {"2/minute": 2}


async def test_functions_may_be_coroutine_functions() -> None:
    """They see what `before_request` has found out, and may read the body, as the view does."""
    limiter = Limiter()
    app = new_app(limiter)

    @app.before_request
    async def find_user() -> None:
        g.user = request.headers.get("x-user")

    async def key() -> str | None:
        await asyncio.sleep(0)
        return g.user or session.get("user")

    async def cost(asked: Request) -> int:
        return int((await asked.get_json())["cost"])

    @app.post("/")
    @limiter.limit("5/minute", key=key, cost=cost, exempt_when=lambda: g.user == "root")
    async def view() -> Any:
        return await request.get_json()

    async def post(user: str, spent: int) -> int:
        fields = {"x-user": user}
        (answer,) = await ask(app, "/", 1, "POST", headers=fields, json={"cost": spent})
        if answer.status_code == 200:
            assert await answer.get_json() == {"cost": spent}
        return answer.status_code

    assert [await post("ada", 3), await post("ada", 3), await post("ada", 2)] == [200, 429, 200]
    assert [await post("bob", 5), await post("root", 5), await post("root", 5)] == [200] * 3


@pytest.mark.parametrize("kind", [429, RateLimitExceeded, HTTPException, None])
async def test_the_app_s_error_handler_answers(kind: Any) -> None:
    limiter = Limiter("1/hour")
    app = new_app(limiter)

    async def slow_down(error: Any) -> tuple[Response, int]:
        assert isinstance(error, HTTPException)
        assert isinstance(error, RateLimitExceeded)
        return jsonify(error=error.detail), error.status_code

    if kind is not None:
        app.register_error_handler(kind, slow_down)

    @app.after_request
    async def allow_origin(response: Response) -> Response:
        response.headers["Access-Control-Allow-Origin"] = "*"
        return response

    app.add_url_rule("/", "index", lambda: "ok")
    first, refused = await ask(app, "/", 2)
    assert (first.status_code, refused.status_code) == (200, 429)
    assert 0 < int(refused.headers["retry-after"]) <= 3600
    assert items(refused.headers["ratelimit"])["default"]["r"] == 0
    assert refused.headers["access-control-allow-origin"] == "*"
    assert len(refused.headers.getlist("ratelimit")) == 1
    told = await refused.get_data()
    text = told if isinstance(told, str) else told.decode()
    assert text.startswith('{"type"' if kind is None else '{"error":"The limit is 1/hour.')


async def test_charge_when_gets_the_response(sidegate: Memory) -> None:
    limiter = Limiter()
    app = new_app(limiter)
    failures = limiter.limit("2/minute", charge_when=lambda response: response.status_code == 401)

    @app.post("/<int:status>")
    @failures
    async def login(status: int) -> tuple[str, int]:
        return "", status

    assert await statuses(app, "/200", 4, "POST") == [200] * 4
    assert sidegate.keys() == []
    assert await statuses(app, "/401", 3, "POST") == [401, 401, 429]


async def test_what_the_app_answers_before_its_view_counts_for_the_view() -> None:
    limiter = Limiter()
    app = new_app(limiter)
    app.add_url_rule("/", "index", limiter.limit("2/minute")(lambda: "ok"))

    @app.before_request
    async def stop() -> str:
        if request.args:
            raise RuntimeError
        return "closed"

    assert await statuses(app, "/") + await statuses(app, "/?a=b", 2) == [200, 500, 429]
    assert limiter.current.request is None


async def test_a_malformed_request_is_a_400() -> None:
    """Lines of a key's field that differ: an app believes one of them, and nobody knows which."""
    limiter = Limiter("5/minute", key=header("x-key"))
    app = new_app(limiter)
    app.add_url_rule("/", "index", lambda: "ok")
    assert await statuses(app, "/", headers=[("x-key", "a"), ("x-key", "b")]) == [400]


async def test_requests_at_once_are_apart() -> None:
    limiter = Limiter("9/minute", key=header("x-user"))
    app = new_app(limiter)

    @app.get("/")
    async def view() -> Response:
        async def pieces() -> AsyncIterator[str]:
            yield user

        await asyncio.sleep(0)
        user = str(limiter.current.request.headers["x-user"])
        return Response(pieces())

    users = [str(at) for at in range(40)]
    answers = await asyncio.gather(*(ask(app, "/", headers={"x-user": it}) for it in users))
    assert [await it.get_data() for (it,) in answers] == [user.encode() for user in users]
