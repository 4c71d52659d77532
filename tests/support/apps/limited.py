"""Apps of Starlette and FastAPI with a Limiter, and what a client gets of them."""

from collections.abc import Callable, Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute
from starlette.testclient import TestClient

from sidegate import Limiter


def client_of(
    limiter: Limiter, *routes: BaseRoute, raising: bool = True, **options: Any
) -> TestClient:
    """Return a client of a Starlette app with these routes, limited."""
    return asking(limiter, Starlette(routes=routes, **options), raising=raising)


def asking(limiter: Limiter, app: Starlette, *, raising: bool = True) -> TestClient:
    """Limit an app, and return a client of it."""
    app.add_middleware(limiter.asgi)
    return TestClient(app, raise_server_exceptions=raising)


def statuses(client: TestClient, *paths: str, method: str = "GET", **more: Any) -> list[int]:
    """Ask for paths one after the other, and return the statuses."""
    return [client.request(method, path, **more).status_code for path in paths]


def views(count: int) -> Sequence[Callable[[Request], Response]]:
    """Return as many functions, each with the name of all the others."""

    def made() -> Callable[[Request], Response]:
        def hello(request: Request) -> Response:
            return PlainTextResponse(f"hello from {request.url.path}")

        return hello

    return [made() for _ in range(count)]


def hello(request: Request) -> Response:
    """Say hello, in a thread."""
    return PlainTextResponse(f"hello from {request.url.path}")
