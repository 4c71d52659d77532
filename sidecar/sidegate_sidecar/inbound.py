"""What every HTTP request goes through before it is routed: two small ASGI layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import HTTPException

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BODY_BYTES = 64 << 10  # a check is 2 kB at most; a body is held in memory whole


class BodyLimit:
    """Answers 413 to a request whose body is longer than 64 KiB, once that much is there."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count the bytes of the body as they come."""
        taken = 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > MOST_BODY_BYTES:
                raise HTTPException(413, f"expected a body of at most {MOST_BODY_BYTES:,} bytes")
            return message

        await self._app(scope, counted, send)


class PathAsSent:
    """Routes by the path as it was sent, so that a key in it may hold `/`, `%`, `?` or a newline.

    What is a parameter of the path is still percent-encoded then.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Put the path back as it was sent."""
        if scope["type"] == "http":
            scope["path"] = scope["raw_path"].decode("ascii")
        await self._app(scope, receive, send)
