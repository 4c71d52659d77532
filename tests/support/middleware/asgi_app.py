"""An ASGI app, its scopes, and a server of one request, for the tests of the middleware."""

from dataclasses import dataclass, field
from typing import Any

from sidegate.asgi.middleware import RateLimitMiddleware
from sidegate.asgi.types import Message, Receive, Scope, Send
from tests.support.middleware.checker import Checker

START: Message = {"type": "http.response.start", "status": 200, "headers": [(b"x-app", b"1")]}
BODY: Message = {"type": "http.response.body", "body": b"hello"}
SHUTDOWN: Message = {"type": "lifespan.shutdown.complete"}


@dataclass
class App:
    """Answers hello, ends its lifespan at once, and keeps what it was called with."""

    messages: tuple[Message, ...] = (START, BODY)
    calls: list[Scope] = field(default_factory=list[Scope])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        self.calls.append(scope)
        for message in (SHUTDOWN,) if scope["type"] == "lifespan" else self.messages:
            await send(message)


def limit(app: Any, **options: Any) -> RateLimitMiddleware:
    """Limit an app, by a Checker unless another client or a sidecar is given."""
    if "sidecar" not in options:
        options.setdefault("client", Checker())
    return RateLimitMiddleware(app, **options)


def http(
    path: str = "/", method: str = "GET", peer: str | None = "192.0.2.1", **more: Any
) -> Scope:
    client = None if peer is None else (peer, 1234)
    return {
        "type": "http",
        "path": path,
        "method": method,
        "client": client,
        "headers": [],
        **more,
    }


def websocket(**more: Any) -> Scope:
    return {"type": "websocket", "path": "/ws", "client": ["192.0.2.1", 1], "headers": [], **more}


async def run(app: RateLimitMiddleware, scope: Scope, *received: str) -> list[Message]:
    """Run one scope to its end and return what was sent."""
    waiting: list[Message] = [{"type": kind} for kind in received]
    sent: list[Message] = []

    async def receive() -> Message:
        return waiting.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent


async def status(app: RateLimitMiddleware, scope: Scope) -> int:
    return int((await run(app, scope))[0]["status"])


async def fields(app: RateLimitMiddleware, scope: Scope) -> dict[bytes, bytes]:
    return dict((await run(app, scope))[0]["headers"])
