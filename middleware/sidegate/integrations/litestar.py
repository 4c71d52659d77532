"""Litestar: `Litestar(…, plugins=[LimiterPlugin(limiter)])`.

Limits are checked by a guard of the app, so behind its authentication, and once the route is known.
A path that isn't found comes to no guard: `limiter.asgi(app)` around the app counts those too.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from litestar import Controller, Response
from litestar.connection import ASGIConnection
from litestar.exceptions import HTTPException, WebSocketException
from litestar.handlers import WebsocketListener
from litestar.plugins import InitPlugin
from litestar.utils.sync import AsyncCallable

from sidegate.asgi.middleware import ScopeRequest
from sidegate.asgi.refusal import POLICY_VIOLATION
from sidegate.limiter.asgi_app import GUARDS, LimitedASGIApp, spare_others
from sidegate.limiter.checks.exceeded import RateLimitExceeded
from sidegate.limiter.limiter import core_of
from sidegate.limiter.limits.applied import RouteName, fit_name, route_of
from sidegate.limiter.limits.marks import marks_of
from sidegate.limiter.messages import enforce_message, message_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from litestar import Request
    from litestar.config.app import AppConfig
    from litestar.handlers import BaseRouteHandler

    from sidegate.asgi.types import App, Scope
    from sidegate.buckets.decision import Decision
    from sidegate.http.request_limiter import Verdict
    from sidegate.limiter.checks.enforcer import Checked
    from sidegate.limiter.core import Core, RequestOf
    from sidegate.limiter.limiter import Limiter
    from sidegate.limiter.limits.applied import Applied
    from sidegate.limiter.limits.marks import Mark
    from sidegate.limiter.limits.route_limit import LimitOptions, LimitsOf


class LitestarRateLimitExceeded(RateLimitExceeded, HTTPException):
    """RateLimitExceeded for Litestar's exception handlers: of the status, or of its kind."""

    def __init__(self, decision: Decision, verdict: Verdict, detail: str) -> None:
        RateLimitExceeded.__init__(self, decision, verdict, detail)
        self.extra = None


class LitestarSocketRateLimitExceeded(RateLimitExceeded, WebSocketException):
    """RateLimitExceeded in a websocket, which it closes with code 1008."""

    def __init__(self, decision: Decision, verdict: Verdict, detail: str) -> None:
        RateLimitExceeded.__init__(self, decision, verdict, detail)
        self.code = POLICY_VIOLATION


class LimiterPlugin(InitPlugin):
    """Sets a Litestar app up with the limits of a Limiter."""

    def __init__(self, limiter: Limiter) -> None:
        """ValueError for what is no Limiter."""
        self._core = core_of(limiter)

    def on_app_init(self, app_config: AppConfig) -> AppConfig:
        """Called when an app is made: check limits before its routes, and answer denials."""
        config: Any = app_config  # its types say more of generics than anybody could
        config.middleware.insert(0, partial(_around, core=self._core))
        config.guards.insert(0, partial(_check, self._core))
        known = (RateLimitExceeded, HTTPException, 429)
        if not any(kind in config.exception_handlers for kind in known):
            config.exception_handlers[LitestarRateLimitExceeded] = ready_handler
        return app_config


def _around(app: App, core: Core) -> LimitedASGIApp:
    return LimitedASGIApp(app, core, request_of)


def install() -> RequestOf:
    """Return what makes the request of an app that `limiter.asgi` goes around."""
    return request_of


def request_of(scope: Any, _receive: object = None) -> ASGIConnection[Any, Any, Any, Any]:  # noqa: ANN401 - of Litestar's kinds
    """Return the request of a scope, for functions of the app."""
    return ASGIConnection(scope)


# --- the check


async def _check(core: Core, connection: Any, handler: BaseRouteHandler) -> None:  # noqa: ANN401 - a Request or a WebSocket
    """Be a guard of the app: check the limits of a route, behind authentication."""
    for guard in connection.scope.get(GUARDS, ()):
        if guard.core is core and not guard.is_enforced:
            guard.request = connection
            checked = await guard.check_at_route(_limits(core, connection.scope, handler))
            if checked.verdict is not None:
                spare_others(connection.scope)
                raise _exception(checked, connection.scope)


def _limits(core: Core, scope: Scope, handler: BaseRouteHandler) -> Sequence[Applied]:
    method = "GET" if scope["type"] == "websocket" else scope["method"].upper()
    marks = _marks(handler, core.limiter)
    return core.enforcer.limits(_route(handler, scope), method, marks)


def _function(handler: BaseRouteHandler) -> Any:  # noqa: ANN401 - of the app
    """Return the function that the app wrote, from what Litestar has put it into."""
    function = _called(handler)
    return function.func if isinstance(function, AsyncCallable) else function


def _called(handler: BaseRouteHandler) -> Any:  # noqa: ANN401 - as above
    """Return what a handler calls; of a websocket's listener, for each message."""
    return getattr(handler.fn, "_fn", handler.fn)


def _owner(function: Any) -> type | None:  # noqa: ANN401 - as above
    """Return the class of a controller, or of a websocket's listener, that a method belongs to."""
    owner = getattr(function, "__self__", None)
    return type(owner) if isinstance(owner, (Controller, WebsocketListener)) else None


def _marks(handler: BaseRouteHandler, limiter: object) -> list[Mark]:
    """Return the marks of a handler, and of its controller, which may have inherited it."""
    function = _function(handler)
    places = function, _called(handler), _owner(function)
    marks = [mark for place in places for mark in marks_of(place, limiter)]
    return list(dict.fromkeys(marks))


def _route(handler: BaseRouteHandler, scope: Scope) -> RouteName:
    """Return the route of a handler; one that controllers inherit is one in each of them."""
    function = _function(handler)
    kind = _owner(function)
    if kind is None:
        return route_of(function, str(scope.get("path_template", "")))
    name = str(function.__name__)
    return RouteName(fit_name(f"{kind.__module__}.{kind.__qualname__}.{name}"), fit_name(name))


async def check_message(
    core: Core,
    websocket: Any,  # noqa: ANN401 - Litestar's WebSocket
    limits: LimitsOf | None,
    options: LimitOptions,
) -> Decision | None:
    """Check a message of a websocket; see `Limiter.check_message`."""
    scope = websocket.scope
    handler = scope["route_handler"]
    message = message_of(core, websocket, ScopeRequest(scope, core.settings.proxies))
    given, marks = (limits, options), _marks(handler, core.limiter)
    checked = await enforce_message(core, message, _route(handler, scope), given, marks)
    if checked.verdict is not None:
        raise _exception(checked, scope)
    return message.decision


# --- refusing


def _exception(checked: Checked, scope: Scope) -> Exception:
    exceeded, verdict = checked.exceeded, checked.verdict
    if exceeded is None or verdict is None:
        return HTTPException(status_code=400, detail="The request is malformed.")
    told = exceeded.decision, exceeded.verdict, exceeded.detail
    if scope["type"] == "websocket":
        return LitestarSocketRateLimitExceeded(*told)
    return LitestarRateLimitExceeded(*told)


def ready_handler(_: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Answer a request that its limits refuse in the usual form; made for `exception_handlers`."""
    assert isinstance(error, RateLimitExceeded)
    fields = {
        name.decode("latin-1"): value.decode("latin-1") for name, value in error.verdict.fields
    }
    kind = fields.pop("content-type", "application/problem+json")
    fields.pop("content-length", None)
    return Response(error.body, status_code=error.status_code, headers=fields, media_type=kind)
