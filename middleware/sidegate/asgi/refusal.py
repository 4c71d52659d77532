"""Refusing: how an ASGI app says no, to a request and to a websocket's handshake."""

import copy
from collections.abc import Iterator
from typing import Any

from sidegate.asgi.types import App, Receive, Scope, Send
from sidegate.http.request_limiter import Verdict

POLICY_VIOLATION = 1008
_INSIDE = ("app", "_app", "middleware_stack", "asgi_handler")  # where apps keep what they wrap
MAX_LAYERS = 64  # of middleware that are looked through; real apps have ten


async def refuse(app: App, verdict: Verdict, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request in the place of `app`, which it never gets to.

    If a CORSMiddleware stands further inside, the answer goes out through it: else a browser
    would keep status and Retry-After from the page that asked.
    """
    cors = cors_inside(app) if _has_origin(scope) else None
    if cors is None:
        await answer_with(verdict, send, with_body=_has_body(scope))
        return

    async def answer(scope: Scope, _receive: Receive, send: Send) -> None:
        await answer_with(verdict, send, with_body=_has_body(scope))

    around: Any = copy.copy(cors)
    around.app = answer
    await around(scope, receive, send)


def _has_body(scope: Scope) -> bool:
    return str(scope.get("method", "")).upper() != "HEAD"


async def refuse_handshake(verdict: Verdict, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer the handshake of a websocket."""
    message = await receive()
    if message["type"] != "websocket.connect":
        return  # the client is gone
    if "websocket.http.response" in (scope.get("extensions") or ()):
        await answer_with(verdict, send, "websocket.http", with_body=True)
    else:
        await send({"type": "websocket.close", "code": POLICY_VIOLATION})


async def answer_with(verdict: Verdict, send: Send, kind: str = "http", *, with_body: bool) -> None:
    headers = list(verdict.fields)
    await send({"type": f"{kind}.response.start", "status": verdict.status, "headers": headers})
    await send({"type": f"{kind}.response.body", "body": verdict.body if with_body else b""})


def _has_origin(scope: Scope) -> bool:
    return any([name == b"origin" for name, _ in scope["headers"]])  # noqa: C419 - a third of it


def cors_inside(app: object) -> object | None:
    """Return the CORSMiddleware that an app is wrapped in, found by its name, or None."""
    for layer in layers_of(app):
        if type(layer).__name__ == "CORSMiddleware" and hasattr(layer, "app"):
            return layer
    return None


def layers_of(app: object) -> Iterator[object]:
    """Give an ASGI app and what it goes around, from the outside to the inside."""
    layer: object | None = app
    for _ in range(MAX_LAYERS):
        if layer is None:
            return
        yield layer
        found = (getattr(layer, name, None) for name in _INSIDE)
        layer = next((inner for inner in found if inner is not None), None)
