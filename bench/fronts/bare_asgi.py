"""An ASGI app that does nothing but answer: what any server of HTTP in Python takes at least."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_HEADERS = [(b"content-length", b"0")]


async def app(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[dict[str, Any]]],  # noqa: ARG001  # ASGI gives it
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    """Answer 200."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        await send({"type": "http.response.body"})
