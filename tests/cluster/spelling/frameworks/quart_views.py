"""The views in Quart."""

from collections.abc import Awaitable, Callable
from typing import Any

from quart import Blueprint, Quart, Response

from sidegate import RateLimitMiddleware
from tests.cluster.spelling.frameworks.blueprints import register
from tests.cluster.spelling.frameworks.views import SEEN, seen


def _view(name: str) -> Callable[..., Awaitable[Response]]:
    async def view(**_: str) -> Response:
        return Response(seen(name), headers={SEEN: name})

    return view


def quart(**limits: Any) -> Quart:
    """Return a Quart app with blueprints."""
    app = Quart(__name__)
    register(app, Blueprint, _view)
    inner: Any = app.asgi_app
    limited: Any = RateLimitMiddleware(inner, **limits)
    app.asgi_app = limited  # type: ignore[method-assign]  # as Quart documents it
    return app
