"""Starlette, and with it FastAPI: limits are checked when the route of a request is known.

`app.add_middleware(limiter.asgi)` sets all of it up. What it does is here: each route, before it
handles a request, has the Guards in its scope check the limits of its endpoint.
"""

from __future__ import annotations

import sys
from collections import deque
from contextlib import ExitStack, contextmanager
from functools import lru_cache, partial, wraps
from types import FunctionType
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException, WebSocketException
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import Host, Mount, Route, Router, WebSocketRoute

from sidegate.asgi.evaluation import sent_by_client
from sidegate.asgi.middleware import ScopeRequest
from sidegate.asgi.refusal import POLICY_VIOLATION, answer_with, layers_of, refuse_handshake
from sidegate.limiter.asgi_app import GUARDS, guard_of, new_guard, spare_others
from sidegate.limiter.checks.asking import enforce
from sidegate.limiter.checks.current import Current, begin, end
from sidegate.limiter.checks.exceeded import RateLimitExceeded
from sidegate.limiter.limiter import core_of
from sidegate.limiter.limits.applied import applied, route_of
from sidegate.limiter.limits.marks import MARKS, handler_of, marks_of, marks_of_handler
from sidegate.limiter.messages import enforce_message, message_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, Iterable, Sequence
    from typing import TypeAlias

    from starlette.types import Message, Receive, Scope, Send
    from starlette.websockets import WebSocket

    from sidegate.buckets.decision import Decision
    from sidegate.http.request_limiter import Verdict
    from sidegate.limiter.asgi_app import Guard
    from sidegate.limiter.checks.enforcer import Checked
    from sidegate.limiter.core import Core, RequestOf
    from sidegate.limiter.limits.applied import Applied, RouteName
    from sidegate.limiter.limits.marks import Mark
    from sidegate.limiter.limits.route_limit import LimitOptions, LimitsOf, RouteLimit

    Handle: TypeAlias = Callable[[Any, Scope, Receive, Send], Awaitable[None]]

_OUTER = (Mount, Host)  # routes behind which others may come; a union would be made at each look
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
        marks = _marks(scope)
        if not (guards or marks) or not _is_last(self, scope):
            return handle(self, scope, receive, send)
        if alone := _unguarded(marks, guards):
            return _stand_in(alone, handle, self, scope, receive, send)
        return _check_and_handle(handle, self, scope, receive, send)

    setattr(handle_guarded, _PATCHED, True)
    return handle_guarded


def _marks(scope: Scope) -> Sequence[Mark]:
    """Return the marks of an endpoint, and of the method of one that is a class."""
    endpoint = scope.get("endpoint")
    while isinstance(endpoint, partial):
        endpoint = endpoint.func
    marks: Sequence[Mark] = getattr(endpoint, MARKS, ())
    if isinstance(endpoint, type):
        marks = (*marks, *getattr(handler_of(endpoint, _method(scope)), MARKS, ()))
    return marks


def _unguarded(marks: Sequence[Mark], guards: Sequence[Guard]) -> dict[object, None]:
    """Return the limiters that an endpoint has limits of, and whose middleware the app lacks."""
    limiters: dict[object, None] = {}
    for mark in marks:
        if mark.limit is not None:
            limiters[mark.limiter] = None
    for guard in guards:
        limiters.pop(guard.current.limiter, None)
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
    guard = new_guard(core, scope, send)
    scope[GUARDS] = guards = [*scope.get(GUARDS, ()), guard]
    token = begin(guard.current)
    try:
        yield guard.send
    finally:
        end(token)
        guards.clear()  # else the scope and the guard hold each other


async def _check_and_handle(
    handle: Handle,
    route: Any,  # noqa: ANN401 - any route
    scope: Scope,
    receive: Receive,
    send: Send,
) -> None:
    for guard in tuple(scope[GUARDS]):
        if not guard.is_routed:
            guard.is_routed = not isinstance(route, _OUTER)
            limits, read = _limits(guard, route, scope), receive
            if guard.core.enforcer.asks_the_app(limits):  # whose functions may read the body
                tape = _Tape(receive)
                read, receive = tape.read, tape.receive
            guard.current.make_by(partial(request_of, scope, read))
            checked = await guard.check(limits)
            if checked.verdict is not None:
                spare_others(scope)
                await _refuse(checked, scope, receive, send)
                return
    await handle(route, scope, receive, send)


def _is_last(route: Any, scope: Scope) -> bool:  # noqa: ANN401 - any route
    """Tell whether no other route comes behind this one, and it takes the request's method.

    Behind a mounted app whose layers can't be seen one may come nevertheless: it checks its own.
    """
    if isinstance(route, _OUTER):
        return not any(isinstance(layer, (Router, Starlette)) for layer in layers_of(route.app))
    methods = getattr(route, "methods", None)
    return not methods or scope["type"] != "http" or scope["method"] in methods


def _limits(guard: Guard, route: Any, scope: Scope) -> Sequence[Applied]:  # noqa: ANN401 - any route
    """Return the limits of the endpoint that a scope came to; () for one that is exempt."""
    core, method = guard.core, _method(scope)
    endpoint, dependant = scope.get("endpoint"), _dependant(route, scope)
    if isinstance(endpoint, FunctionType) and not getattr(dependant, "dependencies", ()):
        path = str(getattr(route, "path", ""))  # so are nearly all, in a tenth of the time
        return core.enforcer.limits_of(endpoint, path, method, core.limiter)
    marks = _marks_of_endpoint(scope, core.limiter)
    marks += _marks_of_dependencies(dependant, core.limiter)
    return core.enforcer.limits(_name(scope, route), method, marks)


def _method(scope: Scope) -> str:
    return "GET" if scope["type"] == "websocket" else str(scope["method"]).upper()


def _name(scope: Scope, route: Any) -> RouteName:  # noqa: ANN401 - any route
    return route_of(scope.get("endpoint"), str(getattr(route, "path", "")))


def _marks_of_endpoint(scope: Scope, limiter: object) -> list[Mark]:
    """Return the marks of the function or the class, and those of its method."""
    endpoint = scope.get("endpoint")
    marks = marks_of(endpoint, limiter)
    if isinstance(endpoint, type):
        marks += marks_of_handler(handler_of(endpoint, _method(scope)), limiter)
    return marks


def _dependant(route: Any, scope: Scope) -> Any:  # noqa: ANN401 - of FastAPI
    """Return what FastAPI knows of a route's dependencies, with those of routers around it."""
    included = scope.get("fastapi", {}).get("effective_route_context")
    is_of_route = getattr(included, "original_route", None) is route
    return getattr(included if is_of_route else route, "dependant", None)


def _marks_of_dependencies(dependant: Any, limiter: object) -> list[Mark]:  # noqa: ANN401 - as above
    """Return the marks of each `Depends(limiter.dep(…))`: limits that a route has otherwise."""
    marks: list[Mark] = []
    for inner in getattr(dependant, "dependencies", ()):
        marks += [*marks_of(inner.call, limiter), *_marks_of_dependencies(inner, limiter)]
    return marks


# --- checks that the app asks for


async def check_here(core: Core, limit: RouteLimit, connection: HTTPConnection) -> None:
    """Check a limit of the route that a request has come to; RateLimitExceeded refuses it."""
    scope = connection.scope
    guard, method = guard_of(scope, core.limiter), _method(scope)
    if limit.methods is not None and method not in limit.methods:
        return
    if any(mark.limit is None for mark in _marks_of_endpoint(scope, core.limiter)):
        return
    current = guard.current if guard else _without_guard(core, connection)
    one = applied(limit, _name(scope, scope.get("route")), method)
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
    given, route = (limits, options), _name(scope, scope.get("route"))
    message = message_of(core, websocket, ScopeRequest(scope, core.settings.proxies))
    marks = _marks_of_endpoint(scope, core.limiter)
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
