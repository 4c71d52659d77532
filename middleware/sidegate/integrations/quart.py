"""Quart: `limiter.init_app(app)`. As in Flask, and functions of limits may be coroutine functions.

Websockets are limited at their handshake, and at each message that `check_message` is asked about.
"""

from __future__ import annotations

from contextlib import suppress
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeAlias

from quart import current_app, has_request_context, has_websocket_context, request, websocket
from werkzeug.exceptions import HTTPException

from sidegate.asgi.middleware import ScopeRequest
from sidegate.asgi.refusal import POLICY_VIOLATION
from sidegate.integrations import werkzeug
from sidegate.limiter.checks.asking import enforce
from sidegate.limiter.checks.current import Current, around, begin, end
from sidegate.limiter.checks.exceeded import RateLimitExceeded
from sidegate.limiter.messages import enforce_message, message_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from werkzeug.wrappers import Response

    from sidegate.buckets.decision import Decision
    from sidegate.limiter.core import Core
    from sidegate.limiter.limits.route_limit import LimitOptions, LimitsOf

    Step: TypeAlias = Callable[..., Awaitable[Any]]


def init_app(core: Core, app: Any) -> None:  # noqa: ANN401 - Quart, with methods to be replaced
    """Set an app up; the second time it is there already."""
    if werkzeug.is_new(core, app):
        core.find_current_by(_find_current)
        routes = werkzeug.Routes(core, app)
        app.preprocess_request = _checking(core, routes, app.preprocess_request)
        app.preprocess_websocket = _checking(core, routes, app.preprocess_websocket)
        app.finalize_request = _concluding(core, app.finalize_request)
        app.finalize_websocket = _concluding(core, app.finalize_websocket)
        app.dispatch_websocket = _closing(app.dispatch_websocket)


def _checking(core: Core, routes: werkzeug.Routes, preprocess: Step) -> Step:
    @wraps(preprocess)
    async def check_behind(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - Quart's
        asked = _asked()
        try:
            answer = await preprocess(*arguments, **named)
        except RateLimitExceeded:  # of another limiter
            raise
        except Exception:
            await _check(core, routes, asked)
            raise
        malformed = await _check(core, routes, asked)
        return answer if malformed is None else malformed

    return check_behind


async def _check(core: Core, routes: werkzeug.Routes, asked: Any) -> Response | None:  # noqa: ANN401 - a request
    """Check a request once; raise its refusal, or return a response to one that is malformed."""
    if werkzeug.current_at(core, asked) is not None:
        return None
    scope = asked.scope
    view = ScopeRequest(scope, core.settings.proxies)
    current = Current(core.limiter, view, around(), scope.get("root_path", ""))
    werkzeug.keep(core, current, asked)
    token = begin(current)
    try:
        checked = await enforce(core.enforcer, core.clients.loops, current, routes.limits(asked))
    finally:
        end(token)
    return werkzeug.raise_or_answer(checked)


def _concluding(core: Core, finalize: Step) -> Step:
    @wraps(finalize)
    async def conclude_behind(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - Quart's
        response = await finalize(*arguments, **named)
        if response is not None:  # as a websocket has none
            werkzeug.conclude(core, core.clients.loops, _asked(), response)
        return response

    return conclude_behind


def _find_current(core: Core) -> Current | None:
    if has_request_context() or has_websocket_context():
        return werkzeug.current_at(core, _asked())
    return None


def _asked() -> Any:  # noqa: ANN401 - the app's class of requests or of websockets
    """Return the present request or websocket itself, as its proxy is another one's elsewhere."""
    proxy: Any = websocket if has_websocket_context() else request
    return proxy._get_current_object()  # noqa: SLF001 - as Quart documents it


# --- websockets


async def check_message(
    core: Core,
    websocket: Any,  # noqa: ANN401 - Websocket, or its proxy
    limits: LimitsOf | None,
    options: LimitOptions,
) -> Decision | None:
    """Check a message of a websocket; see `Limiter.check_message`."""
    routes = werkzeug.Routes(core, current_app)
    message = message_of(core, websocket, ScopeRequest(websocket.scope, core.settings.proxies))
    name, marks = routes.name(websocket), routes.marks(websocket)
    checked = await enforce_message(core, message, name, (limits, options), marks)
    if (malformed := werkzeug.raise_or_answer(checked)) is not None:
        raise HTTPException(response=malformed)
    return message.decision


def _closing(dispatch: Step) -> Step:
    """Have a refusal that a view doesn't catch close its websocket, and say why."""

    @wraps(dispatch)
    async def close_behind(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - Quart's
        try:
            return await dispatch(*arguments, **named)
        except RateLimitExceeded as error:
            refused = _asked()
            await refused.accept()  # nothing if it is: a refusal by HTTP is for handshakes
            with suppress(RuntimeError):  # it is closed
                await refused.close(POLICY_VIOLATION, str(error))
            raise

    return close_behind
