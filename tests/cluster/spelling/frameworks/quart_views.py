"""The views in Quart."""

from __future__ import annotations

from typing import Any

from quart import Blueprint, Quart, Response

from sidegate import RateLimitMiddleware
from tests.cluster.spelling.frameworks.views import SEEN, seen


def _answer(name: str) -> Response:
    return Response(seen(name), headers={SEEN: name})


def quart(**limits: Any) -> Quart:
    """Return a Quart app with a blueprint."""
    app = Quart(__name__)
    app.register_blueprint(_pages())
    app.register_blueprint(_items(), url_prefix="/v1")
    inner: Any = app.asgi_app
    limited: Any = RateLimitMiddleware(inner, **limits)
    app.asgi_app = limited  # type: ignore[method-assign]  # as Quart documents it
    return app


def _pages() -> Blueprint:
    pages = Blueprint("pages", __name__)

    @pages.get("/")
    async def root() -> Response:
        return _answer("root")

    @pages.post("/login")
    async def login() -> Response:
        return _answer("login")

    @pages.post("/account/", strict_slashes=False)
    async def account() -> Response:
        return _answer("account")

    @pages.post("/users/<number>/delete")
    async def user(number: str) -> Response:
        del number
        return _answer("user")

    @pages.get("/files/<path:rest>")
    async def files(rest: str) -> Response:
        del rest
        return _answer("files")

    @pages.post("/other")
    async def other() -> Response:
        return _answer("other")

    return pages


def _items() -> Blueprint:
    blueprint = Blueprint("items", __name__)

    @blueprint.get("/items")
    async def items() -> Response:
        return _answer("items")

    @blueprint.get("/items/<number>")
    async def item(number: str) -> Response:
        del number
        return _answer("item")

    return blueprint
