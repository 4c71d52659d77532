"""What every request to the app goes through before it is routed: a small ASGI layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send


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
