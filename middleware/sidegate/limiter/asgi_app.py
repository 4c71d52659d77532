"""An ASGI app with the limits of a Limiter: the application's, and those of its routes.

Where the framework is known (`integrations/starlette.py`), a request is checked when its route is:
then all of its limits are one check, and the app's own error handling answers for it. What comes to
no route, such as a path that isn't found, is checked before its response begins. Around any other
app the limits of the application are checked at its door.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec import structs

from sidegate.asgi.middleware import RateLimitMiddleware, ScopeRequest
from sidegate.asgi.refusal import (
    POLICY_VIOLATION,
    answer_with,
    layers_of,
    refuse,
    refuse_handshake,
)
from sidegate.limiter.checks.asking import enforce, give_back
from sidegate.limiter.checks.current import Current, around, begin, end
from sidegate.limiter.checks.sent import SentResponse

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

    from sidegate.asgi.types import App, Message, Receive, Scope, Send
    from sidegate.http.headers import Pair
    from sidegate.http.request_limiter import Verdict
    from sidegate.limiter.checks.enforcer import Checked
    from sidegate.limiter.core import Core, RequestOf
    from sidegate.limiter.limits.applied import Applied

GUARDS = "sidegate.guards"  # in a scope: the Guards whose limits the route is to check
_CORS = (b"access-control-", b"vary")  # begin the names of fields that CORS sets
_HUNG_UP = "ClientDisconnect"
_CLOSE = "websocket.close"  # of a handshake, if nothing was accepted: it has no fields
_STARTS = {"http.response.start", "websocket.accept", "websocket.http.response.start", _CLOSE}


class Guard:
    """One request at one Limiter: it is checked once, and its fields go out with the response."""

    __slots__ = ("_is_replaced", "_send", "core", "current", "is_routed")

    def __init__(self, core: Core, current: Current, send: Send) -> None:
        self.core = core
        self.current = current
        self.is_routed = False  # has the last of its routes checked its limits?
        self._send = send
        self._is_replaced = False  # has a refusal gone out for what the app answers?

    async def check(self, limits: Sequence[Applied]) -> Checked:
        """Check these limits, and the first time the rules too."""
        outcome = await enforce(self.core.enforcer, self.core.clients.loops, self.current, limits)
        self.current.is_enforced = True
        return outcome

    def send(self, message: Message) -> Awaitable[None]:
        """Be the `send` of the app, and add the fields; a plain function, as the middleware's."""
        current = self.current
        if current.is_answered or message["type"] not in _STARTS:
            return _dropped() if self._is_replaced else self._send(message)
        current.is_answered = True
        if current.is_enforced:
            return self._send(self._with_fields(message))
        return self._send_checked(message)

    async def _send_checked(self, message: Message) -> None:
        """Begin a response that comes from no route, if the limits of elsewhere let it."""
        outcome = await self.check(self.core.enforcer.elsewhere)
        if outcome.verdict is None or message["type"] == _CLOSE:
            await self._send(self._with_fields(message))
        else:
            self._is_replaced = True
            await self._refuse(message, outcome.verdict)

    def _with_fields(self, message: Message) -> Message:
        """Return the start of a response with the fields, and give back what it isn't charged."""
        current = self.current
        if current.charged:
            self._give_back(message)
        if not current.fields or message["type"] == _CLOSE:
            return message
        headers: list[Pair] = list(message.get("headers", ()))
        if current.is_refused:  # then some of them are there
            own = {name.lower() for name, _ in headers}
            headers += [pair for pair in current.fields if pair[0] not in own]
        else:
            headers += current.fields
        return {**message, "headers": headers}

    def failed(self, error: Exception) -> None:
        """Called when the app has raised: whoever stands around it answers 500.

        A client that has hung up is answered by nobody, and is charged: else that were a way out.
        """
        if type(error).__name__ == _HUNG_UP:  # whichever framework's
            return
        if self.current.charged and not self.current.is_answered:
            self._give_back({"type": "http.response.start", "status": 500})

    def _give_back(self, start: Message) -> None:
        core, response = self.core, SentResponse(start)
        give_back(core.enforcer, core.clients.loops, self.current, response)

    async def _refuse(self, start: Message, verdict: Verdict) -> None:
        """Send a refusal in the place of what the app has answered, but for what CORS said."""
        if start["type"] == "websocket.accept":
            await self._send({"type": "websocket.close", "code": POLICY_VIOLATION})
            return
        kept = [pair for pair in start.get("headers", ()) if pair[0].lower().startswith(_CORS)]
        told = structs.replace(verdict, fields=[*verdict.fields, *kept])
        kind = start["type"].removesuffix(".response.start")
        await answer_with(told, self._send, kind, with_body=self.current.method != "HEAD")


async def _dropped() -> None:
    """Send nothing, of a response that was refused."""


def new_guard(core: Core, scope: Scope, send: Send) -> Guard:
    """Return the Guard of a request that has come to a limiter."""
    view = ScopeRequest(scope, core.settings.proxies)
    return Guard(core, Current(core.limiter, view, around(), scope.get("root_path", "")), send)


def guard_of(scope: Scope, limiter: object) -> Guard | None:
    """Return the Guard of a limiter for this request, None where its middleware doesn't stand."""
    guards: Sequence[Guard] = scope.get(GUARDS, ())
    return next((guard for guard in guards if guard.current.limiter is limiter), None)


def spare_others(scope: Scope) -> None:
    """Have no other limiter charge a request that one has refused."""
    for guard in scope[GUARDS]:
        guard.current.is_enforced = True


class LimitedASGIApp(RateLimitMiddleware):
    """See `Limiter.asgi`."""

    def __init__(self, app: App, core: Core, request_of: RequestOf | None = None) -> None:
        """Go around an app; `request_of` is of its framework, which otherwise is looked for."""
        self._core = core
        self._set_up(app, core.settings, core.clients.loops, core.clients.own)
        self._request_of = request_of
        self._is_known = request_of is not None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request, or pass what isn't one."""
        kind = scope["type"]
        if kind != "http" and kind != "websocket":  # noqa: PLR1714 - as in the middleware
            await super().__call__(scope, receive, send)
            return
        if GUARDS in scope and guard_of(scope, self._core.limiter):  # it stands further outside too
            await self._app(scope, receive, send)
            return
        request_of = self._request_of if self._is_known else self._find_framework(scope)
        guard = new_guard(self._core, scope, send)
        guards: list[Guard] = []
        token = begin(guard.current)
        try:
            if request_of is None:
                await self._at_the_door(guard, scope, receive, send)
            else:
                guard.current.make_by(partial(request_of, scope))
                guards[:] = *scope.get(GUARDS, ()), guard
                scope[GUARDS] = guards
                await self._app(scope, receive, guard.send)
        except Exception as error:
            guard.failed(error)
            raise
        finally:
            end(token)
            guards.clear()  # else the scope and the guard hold each other: garbage of 28 objects

    async def _at_the_door(self, guard: Guard, scope: Scope, receive: Receive, send: Send) -> None:
        outcome = await guard.check(self._core.enforcer.elsewhere)
        verdict = outcome.verdict
        if verdict is None:
            await self._app(scope, receive, guard.send)
            return
        guard.current.is_answered = True
        if scope["type"] == "http":
            await refuse(self._app, verdict, scope, receive, send)
        else:
            await refuse_handshake(verdict, scope, receive, send)

    def _find_framework(self, scope: Scope) -> RequestOf | None:
        self._is_known = True
        # A middleware inside may hide what it goes around; Starlette says who it is.
        around: Any = scope.get("app")
        is_own = any(layer is self for layer in layers_of(around))
        self._request_of = self._core.framework_inside(around if is_own else self._app)
        return self._request_of
