"""A Starlette app with websockets, limited; without an extension of ASGI under /bare."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from sidegate.asgi.middleware import RateLimitMiddleware
from sidegate.asgi.types import App, Receive, Scope, Send
from tests.support.apps.options import OPTIONS


async def echo(websocket: WebSocket) -> None:
    """Send back what comes, with a field and a subprotocol of its own."""
    await websocket.accept(headers=[(b"x-app", b"echo")])
    async for text in websocket.iter_text():
        await websocket.send_text(text)


async def alive(_: Request) -> PlainTextResponse:
    """Say so."""
    return PlainTextResponse("ok")


class WithoutExtension:
    """Hides that the server can answer a handshake by an HTTP response, as some servers can't."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope.get("path") == "/bare":
            scope = {**scope, "extensions": {}}
        await self._app(scope, receive, send)


app = WithoutExtension(
    RateLimitMiddleware(
        Starlette(
            routes=[
                Route("/healthz", alive),
                *(WebSocketRoute(path, echo) for path in ("/", "/bare")),
            ]
        ),
        **OPTIONS,
    )
)
