"""The views in FastAPI and in Starlette, with the middleware added as their people add one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, FastAPI
from fastapi.responses import PlainTextResponse
from starlette.applications import Starlette
from starlette.routing import Mount, Route, WebSocketRoute

from sidegate import RateLimitMiddleware
from tests.cluster.spelling.frameworks.views import SEEN, seen

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.websockets import WebSocket


def answer(name: str) -> PlainTextResponse:
    """Return the response of a view."""
    return PlainTextResponse(seen(name), headers={SEEN: name})


def fastapi(**limits: Any) -> FastAPI:
    """Return a FastAPI app with an included router and a mounted app."""
    app = FastAPI()
    app.include_router(_router())
    app.mount("/v1", _mounted())
    app.add_middleware(RateLimitMiddleware, **limits)
    return app


def _router() -> APIRouter:
    router = APIRouter(default_response_class=PlainTextResponse)

    @router.get("/")
    async def root() -> PlainTextResponse:
        return answer("root")

    @router.post("/login")
    async def login() -> PlainTextResponse:
        return answer("login")

    @router.post("/account/")
    async def account() -> PlainTextResponse:
        return answer("account")

    @router.post("/users/{number}/delete")
    async def user(number: str) -> PlainTextResponse:
        del number
        return answer("user")

    @router.get("/files/{rest:path}")
    async def files(rest: str) -> PlainTextResponse:
        del rest
        return answer("files")

    @router.post("/other")
    async def other() -> PlainTextResponse:
        return answer("other")

    return router


def _mounted() -> FastAPI:
    app = FastAPI()

    @app.get("/items")
    async def items() -> PlainTextResponse:
        return answer("items")

    @app.get("/items/{number}")
    async def item(number: str) -> PlainTextResponse:
        del number
        return answer("item")

    return app


def inside(**limits: Any) -> FastAPI:
    """Return a FastAPI app without limits, with a mounted one that has them."""
    mounted, app = _mounted(), FastAPI()
    mounted.add_middleware(RateLimitMiddleware, **limits)
    app.mount("/v1", mounted)
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

    def route(path: str, method: str, name: str) -> Route:
        async def view(request: Request) -> PlainTextResponse:
            del request
            return answer(name)

        return Route(path, view, methods=[method])

    items = [route("/items", "GET", "items"), route("/items/{number}", "GET", "item")]
    app = Starlette(
        routes=[
            route("/", "GET", "root"),
            route("/login", "POST", "login"),
            route("/account/", "POST", "account"),
            route("/users/{number}/delete", "POST", "user"),
            route("/files/{rest:path}", "GET", "files"),
            route("/other", "POST", "other"),
            Mount("/v1", routes=items),
            WebSocketRoute("/ws", _websocket),
        ]
    )
    app.add_middleware(RateLimitMiddleware, **limits)
    return app


async def _websocket(websocket: WebSocket) -> None:
    await websocket.accept(headers=[(SEEN.encode(), b"ws")])
    await websocket.close()
