"""Starlette, and with it FastAPI: limits are checked when the route of a request is known.

`app.add_middleware(limiter.asgi)` sets all of it up. What it does is here: each route, before it
handles a request, has the Guards in its scope check the limits of its endpoint.
"""

from __future__ import annotations

import sys
from collections import deque
from contextlib import ExitStack, contextmanager
from functools import lru_cache, wraps
from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException, WebSocketException
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import Host, Mount, Route, WebSocketRoute

from sidegate.asgi.evaluation import sent_by_client
from sidegate.asgi.middleware import ScopeRequest
from sidegate.asgi.refusal import POLICY_VIOLATION, answer_with, refuse_handshake
from sidegate.integrations.starlette_stops import (
    RouteStop,
    all_marks,
    is_at,
    is_last,
    known_stop,
    marks_of_endpoint,
    marks_of_route,
    method_of,
    name_of,
    stop_at,
)
from sidegate.limiter.asgi_app import GUARDS, Guard, guard_of, spare_others
from sidegate.limiter.checks.asking import enforce
from sidegate.limiter.checks.current import Current, begin, end
from sidegate.limiter.checks.exceeded import RateLimitExceeded
from sidegate.limiter.limiter import core_of
from sidegate.limiter.limits.applied import applied
from sidegate.limiter.messages import enforce_message, message_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, Iterable, Sequence
    from typing import TypeAlias

    from starlette.types import Message, Receive, Scope, Send
    from starlette.websockets import WebSocket

    from sidegate.buckets.decision import Decision
    from sidegate.http.request_limiter import Verdict
    from sidegate.limiter.checks.ahead import AskedAhead
    from sidegate.limiter.checks.enforcer import Checked
    from sidegate.limiter.core import Core, RequestOf
    from sidegate.limiter.limits.marks import Mark
    from sidegate.limiter.limits.route_limit import LimitOptions, LimitsOf, RouteLimit

    Handle: TypeAlias = Callable[[Any, Scope, Receive, Send], Awaitable[None]]

_PATCHED = "_sidegate_guarded"
_FRAMEWORKS = ("starlette.", "fastapi.")  # where handlers are that no app has written
_HANDLERS = "starlette.exception_handlers"  # in a scope: those of the app, by class and by status


class HTTPRateLimitExceeded(RateLimitExceeded, HTTPException):
    """RateLimitExceeded for handlers of HTTP exceptions: of the status 429, or of all of them."""


def _http_kind() -> type[HTTPRateLimitExceeded]:
    """Return what is FastAPI's kind too where that is imported, be it before this or later."""
    fastapi = sys.modules.get("fastapi.exceptions")
    return HTTPRateLimitExceeded if fastapi is None else _http_kind_of(fastapi.HTTPException)


@lru_cache(1)
def _http_kind_of(fastapi: type[Any]) -> type[HTTPRateLimitExceeded]:
    name = HTTPRateLimitExceeded.__name__
    return type(name, (HTTPRateLimitExceeded, fastapi), {"__module__": __name__})


class WebSocketRateLimitExceeded(RateLimitExceeded, WebSocketException):
    """RateLimitExceeded in a websocket, which it closes with code 1008."""

    def __init__(self, decision: Decision, verdict: Verdict, detail: str) -> None:
        super().__init__(decision, verdict, detail)
        self.code = POLICY_VIOLATION
        self.reason = detail


def install() -> RequestOf:
    """Have all routes check limits, from now on; return what makes requests.

    A route of a request without a limiter does what it did before.
    """
    for kind in (Route, WebSocketRoute, Mount, Host):
        _guard(kind)
    return request_of


def _guard(kind: Any) -> None:  # noqa: ANN401 - a class of routes
    """Have a class of routes check limits, and those below it: FastAPI's, and the app's own."""
    if "handle" in vars(kind) and not hasattr(kind.handle, _PATCHED):
        kind.handle = _guarded(kind.handle)
    for own in kind.__subclasses__():
        _guard(own)


def init_app(core: Core, app: Any) -> None:  # noqa: ANN401 - Starlette, of any state
    """Set an app up, as `app.add_middleware(limiter.asgi)`."""
    app.add_middleware(core.limiter.asgi)


def request_of(scope: Scope, receive: Receive | None = None) -> HTTPConnection:
    """Return the request of a scope, for functions of the app; without `receive` it has no body."""
    if scope["type"] != "http":
        return HTTPConnection(scope)
    return Request(scope) if receive is None else Request(scope, receive)


class _Tape:
    """The messages of a request's body: functions of the app may read them before the route."""

    __slots__ = ("_read", "_receive")

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._read: deque[Message] = deque()

    async def read(self) -> Message:
        """Return the next message, and keep it for the route."""
        message = await sent_by_client(self._receive())
        self._read.append(message)
        return message

    async def receive(self) -> Message:
        """Return the next message for the route: first those that were read before."""
        return self._read.popleft() if self._read else await self._receive()


def _guarded(handle: Handle) -> Handle:
    # A plain function: one coroutine less through which each await of the app goes.
    @wraps(handle)
    def handle_guarded(
        self: Any,  # noqa: ANN401 - any route
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> Awaitable[None]:
        guards: Sequence[Guard] = scope.get(GUARDS, ())
        if guards and guards[-1].is_routed:  # then a route calls what its class inherits
            return handle(self, scope, receive, send)
        if len(guards) == 1:  # nearly all
            ahead = guards[0].ahead
            if ahead is not None and _passes(guards[0], ahead, self, scope, receive):
                return handle(self, scope, receive, send)
            if stop := known_stop(guards[0].core, self, scope):
                return _handle_at(stop, handle, self, scope, receive, send)
        marks = all_marks(scope)
        if not (guards or marks) or not is_last(self, scope):
            return handle(self, scope, receive, send)
        if alone := _unguarded(marks, guards):
            return _stand_in(alone, handle, self, scope, receive, send)
        return _check_and_handle(handle, self, scope, receive, send)

    setattr(handle_guarded, _PATCHED, True)
    return handle_guarded


def _unguarded(marks: Sequence[Mark], guards: Sequence[Guard]) -> dict[object, None]:
    """Return the limiters that an endpoint has limits of, and whose middleware the app lacks."""
    limiters: dict[object, None] = {}
    for mark in marks:
        if mark.limit is not None:
            limiters[mark.limiter] = None
    for guard in guards:
        limiters.pop(guard.limiter, None)
    return limiters


async def _stand_in(
    limiters: Iterable[object],
    handle: Handle,
    route: Any,  # noqa: ANN401 - any route
    scope: Scope,
    receive: Receive,
    send: Send,
) -> None:
    with ExitStack() as stack:
        for limiter in limiters:
            send = stack.enter_context(_alone(limiter, scope, send))
        await _check_and_handle(handle, route, scope, receive, send)


@contextmanager
def _alone(limiter: object, scope: Scope, send: Send) -> Generator[Send]:
    """Stand in for a limiter's middleware, which the app lacks, for what has a limit of its own."""
    core = core_of(limiter)
    core.tell_of_no_middleware()
    guard = Guard(core, scope, send)
    scope[GUARDS] = guards = [*scope.get(GUARDS, ()), guard]
    token = begin(guard)
    try:
        yield guard.send
    finally:
        end(token)
        guards.clear()  # else the scope and the guard hold each other


def _passes(
    guard: Guard,
    asked: AskedAhead,
    route: Any,  # noqa: ANN401 - any route
    scope: Scope,
    receive: Receive,
) -> bool:
    """Tell whether a request passes at a route that was asked for at the door."""
    stop = asked.guess.stop
    if not (isinstance(stop, RouteStop) and is_at(stop, route, scope) and guard.passes(asked)):
        return False
    guard.is_routed = True
    guard.at(request_of, scope, receive)
    return True


def _handle_at(
    stop: RouteStop,
    handle: Handle,
    route: Any,  # noqa: ANN401 - any route
    scope: Scope,
    receive: Receive,
    send: Send,
) -> Awaitable[None]:
    """Do as `_check_and_handle` for the only limiter, at a route that is known."""
    guard: Guard = scope[GUARDS][0]
    receive = _arrive(guard, stop, scope, receive)
    if guard.is_free(stop.limits):
        return handle(route, scope, receive, send)
    return _check_once(stop, handle, route, scope, receive, send)


async def _check_once(
    stop: RouteStop,
    handle: Handle,
    route: Any,  # noqa: ANN401 - any route
    scope: Scope,
    receive: Receive,
    send: Send,
) -> None:
    guard: Guard = scope[GUARDS][0]
    checked = guard.checked(stop.limits, stop) or await guard.check(stop.limits)
    if checked.verdict is None:
        await handle(route, scope, receive, send)
    else:
        await _refuse(checked, scope, receive, send)


async def _check_and_handle(
    handle: Handle,
    route: Any,  # noqa: ANN401 - any route
    scope: Scope,
    receive: Receive,
    send: Send,
) -> None:
    for guard in tuple(scope[GUARDS]):
        if not guard.is_routed:
            stop = stop_at(guard.core, route, scope)
            receive = _arrive(guard, stop, scope, receive)
            checked = await guard.check_at_route(stop.limits, stop)
            if checked.verdict is not None:
                spare_others(scope)
                await _refuse(checked, scope, receive, send)
                return
    await handle(route, scope, receive, send)


def _arrive(guard: Guard, stop: RouteStop, scope: Scope, receive: Receive) -> Receive:
    """Have a request come to a route; return what its body is received by."""
    guard.is_routed = stop.is_last
    if not (stop.asks_the_app or guard.core.enforcer.filters):  # whose functions may read the body
        guard.at(request_of, scope, receive)
        return receive
    tape = _Tape(receive)
    guard.at(request_of, scope, tape.read)
    return tape.receive


# --- checks that the app asks for


async def check_here(core: Core, limit: RouteLimit, connection: HTTPConnection) -> None:
    """Check a limit of the route that a request has come to; RateLimitExceeded refuses it."""
    scope = connection.scope
    guard, method = guard_of(scope, core.limiter), method_of(scope)
    if limit.methods is not None and method not in limit.methods:
        return
    if any(mark.limit is None for mark in marks_of_endpoint(scope, core.limiter)):
        return
    current = guard or _without_guard(core, connection)
    route = scope.get("route")
    name = name_of(scope, route)
    carries = core.enforcer.carries(limit, name, marks_of_route(core, route, scope))
    one = applied(limit, name, method, carries=carries)
    token = begin(current)  # for its key, also where no middleware has seen the request
    try:
        outcome = await enforce(core.enforcer, core.clients.loops, current, (one,))
    finally:
        end(token)
    _raise(outcome, scope)


async def check_message(
    core: Core, websocket: WebSocket, limits: LimitsOf | None, options: LimitOptions
) -> Decision | None:
    """Check a message of a websocket; see `Limiter.check_message`."""
    scope = websocket.scope
    given, route = (limits, options), name_of(scope, scope.get("route"))
    message = message_of(core, websocket, ScopeRequest(scope, core.settings.proxies))
    marks = marks_of_endpoint(scope, core.limiter)
    _raise(await enforce_message(core, message, route, given, marks), scope)
    return message.decision


def _without_guard(core: Core, connection: HTTPConnection) -> Current:
    """Return what stands for the request where the middleware doesn't."""
    current = Current(core.limiter, ScopeRequest(connection.scope, core.settings.proxies))
    current.request, current.is_enforced = connection, True
    return current


def _raise(outcome: Checked, scope: Scope) -> None:
    if outcome.exceeded is not None:
        raise exception_of(outcome.exceeded, scope)
    if outcome.verdict is not None:
        raise HTTPException(outcome.verdict.status, "The request is malformed.")


# --- refusing


async def _refuse(outcome: Checked, scope: Scope, receive: Receive, send: Send) -> None:
    """Refuse a request at its route: by the app's own error handler, if it has one for that."""
    assert outcome.verdict
    if scope["type"] == "websocket":
        await refuse_handshake(outcome.verdict, scope, receive, send)
    elif outcome.exceeded is None or _HANDLERS not in scope:  # a Router alone has none
        await answer_with(outcome.verdict, send, with_body=scope["method"] != "HEAD")
    else:
        raise exception_of(outcome.exceeded, scope)


def exception_of(exceeded: RateLimitExceeded, scope: Scope) -> RateLimitExceeded:
    """Return what to raise in a request, and see to it that somebody answers it.

    The app's own handlers come first: for RateLimitExceeded, for its status, or for HTTPException.
    If it has none, the ready one answers; it stands as far inside, so the response goes through
    all middleware of the app.
    """
    told = exceeded.decision, exceeded.verdict, exceeded.detail
    handlers, by_status = scope.get(_HANDLERS, ({}, {}))
    if scope["type"] == "websocket":
        if WebSocketException in handlers:  # one for RateLimitExceeded answers requests
            handlers.setdefault(WebSocketRateLimitExceeded, handlers[WebSocketException])
        return WebSocketRateLimitExceeded(*told)
    made = _http_kind()(*told)
    if made.status_code not in by_status:
        kind = next((kind for kind in type(made).__mro__ if kind in handlers), None)
        if kind is None or str(handlers[kind].__module__).startswith(_FRAMEWORKS):
            handlers[type(made)] = ready_handler
    return made


async def ready_handler(request: Request, error: Exception) -> Response:
    """Answer a request that its limits refuse in the usual form; made for `exception_handlers`."""
    assert isinstance(error, RateLimitExceeded)
    verdict = error.verdict
    response = Response(verdict.body if request.method != "HEAD" else b"", verdict.status)
    response.raw_headers = list(verdict.fields)
    return response
