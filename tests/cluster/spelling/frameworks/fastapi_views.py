"""The views in FastAPI and in Starlette, with the middleware added as their people add one."""

from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

from fastapi import APIRouter, FastAPI
from fastapi.responses import PlainTextResponse
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.websockets import WebSocket

from sidegate import RateLimitMiddleware
from tests.cluster.spelling.frameworks.views import MOUNT, SEEN, declared, seen

T = TypeVar("T", APIRouter, FastAPI)

PARAMETERS: Final = ("{number}", "{rest:path}")


def answer(name: str) -> PlainTextResponse:
    """Return the response of a view."""
    return PlainTextResponse(seen(name), headers={SEEN: name})


def fastapi(**limits: Any) -> FastAPI:
    """Return a FastAPI app with an included router and a mounted app."""
    app = FastAPI()
    app.include_router(_router())
    app.mount(MOUNT, _mounted())
    app.add_middleware(RateLimitMiddleware, **limits)
    return app


def _router() -> APIRouter:
    return _with_views(APIRouter(), mounted=False)


def _mounted() -> FastAPI:
    return _with_views(FastAPI(), mounted=True)


def _with_views(app: T, *, mounted: bool) -> T:
    for name, method, path in declared(*PARAMETERS, mounted=mounted):
        app.add_api_route(path, _view(name), methods=[method])
    return app


def _view(name: str) -> Callable[[], Awaitable[PlainTextResponse]]:
    async def view() -> PlainTextResponse:
        return answer(name)

    return view


def inside(**limits: Any) -> FastAPI:
    """Return a FastAPI app without limits, with a mounted one that has them."""
    mounted, app = _mounted(), FastAPI()
    mounted.add_middleware(RateLimitMiddleware, **limits)
    app.mount(MOUNT, mounted)
    return app


def with_root_path(**limits: Any) -> FastAPI:
    """Return a FastAPI app that says itself which root path a proxy takes away."""
    app = FastAPI()
    app.root_path = "/api"
    app.include_router(_router())
    app.add_middleware(RateLimitMiddleware, **limits)
    return app


def starlette(**limits: Any) -> Starlette:
    """Return a Starlette app with a mount."""

    def routes(*, mounted: bool) -> list[BaseRoute]:
        views = declared(*PARAMETERS, mounted=mounted)
        return [route(path, method, name) for name, method, path in views]

    def route(path: str, method: str, name: str) -> Route:
        async def view(request: Request) -> PlainTextResponse:
            del request
            return answer(name)

        return Route(path, view, methods=[method])

    mount = Mount(MOUNT, routes=routes(mounted=True))
    app = Starlette(routes=[*routes(mounted=False), mount, WebSocketRoute("/ws", _websocket)])
    app.add_middleware(RateLimitMiddleware, **limits)
    return app


async def _websocket(websocket: WebSocket) -> None:
    await websocket.accept(headers=[(SEEN.encode(), b"ws")])
    await websocket.close()
