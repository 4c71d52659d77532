"""The views in Litestar."""

# Litestar reads the types of views when it is built.
# ruff: noqa: TC002

from __future__ import annotations

from typing import Any

from litestar import Litestar, Response, Router, get, post
from litestar.params import FromPath

from sidegate import RateLimitMiddleware
from tests.cluster.spelling.frameworks.views import SEEN, seen


def _answer(name: str) -> Response[str]:
    return Response(seen(name), headers={SEEN: name}, media_type="text/plain")


@get("/")
async def root() -> Response[str]:
    """Serve the first page."""
    return _answer("root")


@post("/login")
async def login() -> Response[str]:
    """Serve a login."""
    return _answer("login")


@post("/account/")
async def account() -> Response[str]:
    """Serve a path that is declared with a slash at its end."""
    return _answer("account")


@post("/users/{number:str}/delete")
async def user(number: FromPath[str]) -> Response[str]:
    """Serve something within a path."""
    del number
    return _answer("user")


@get("/files/{rest:path}")
async def files(rest: FromPath[str]) -> Response[str]:
    """Serve whatever is asked for."""
    del rest
    return _answer("files")


@post("/other")
async def other() -> Response[str]:
    """Serve what isn't limited."""
    return _answer("other")


@get("/items")
async def items() -> Response[str]:
    """Serve a list."""
    return _answer("items")


@get("/items/{number:str}")
async def item(number: FromPath[str]) -> Response[str]:
    """Serve one of a list."""
    del number
    return _answer("item")


def litestar(**limits: Any) -> RateLimitMiddleware:
    """Return a Litestar app with a router, behind the middleware."""
    router = Router("/v1", route_handlers=[items, item])
    app: Any = Litestar([root, login, account, user, files, other, router], openapi_config=None)
    return RateLimitMiddleware(app, **limits)
