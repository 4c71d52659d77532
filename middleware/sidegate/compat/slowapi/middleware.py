"""The middleware of a Limiter: limits of the app, and default limits of routes."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from starlette.datastructures import MutableHeaders
from starlette.requests import Request

from sidegate.compat.slowapi.errors import RateLimitExceeded
from sidegate.compat.slowapi.extension import Limiter, answer_refusal
from sidegate.compat.slowapi.views import is_complete, view_at

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send


class SlowAPIASGIMiddleware:
    """ViewChecks requests before their route does, by the Limiter in `app.state.limiter`."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request; what isn't HTTP passes."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        limiter: Limiter = scope["app"].state.limiter
        request = Request(scope, receive)
        view = view_at(scope["app"].routes, scope) if limiter.enabled else None
        if view is None or limiter.leaves_to_view(view) or not limiter.auto_check:
            await self.app(scope, receive, send)
            return
        try:
            await limiter.check_in_loop(request, view)
        except RateLimitExceeded as error:
            response = await _answer(request, error)
            await response(scope, receive, send)
            return

        async def telling(message: Message) -> None:
            if message["type"] == "http.response.start" and not is_complete(request):
                limiter.tell_in(MutableHeaders(scope=message), request)
            await send(message)

        await self.app(scope, receive, telling)


class SlowAPIMiddleware(SlowAPIASGIMiddleware):
    """The same; in slowapi the two differ."""


async def _answer(request: Request, error: RateLimitExceeded) -> Response:
    """Return what the app's handler makes of a refusal, or slowapi's own without one."""
    handlers = request.app.exception_handlers
    handler: Any = handlers.get(type(error), answer_refusal)
    made = handler(request, error)
    response: Response = await made if inspect.isawaitable(made) else made
    return response
