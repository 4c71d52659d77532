"""An ASGI app with the limits of a Limiter: the application's, and those of its routes.

Where the framework is known (`integrations/starlette.py`), a request is checked when its route is:
then all of its limits are one check, and the app's own error handling answers for it. What comes to
no route, such as a path that isn't found, is checked before its response begins. Around any other
app the limits of the application are checked at its door.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from msgspec import structs

from sidegate.asgi.middleware import RateLimitMiddleware, ScopeRequest
from sidegate.asgi.refusal import answer_with, refuse, refuse_handshake
from sidegate.limiter.checks.asking import enforce, give_back
from sidegate.limiter.checks.current import Current, begin, end, innermost
from sidegate.limiter.checks.sent import SentResponse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidegate.asgi.types import App, Message, Receive, Scope, Send
    from sidegate.http.headers import Pair
    from sidegate.http.request_limiter import Verdict
    from sidegate.limiter.checks.enforcer import Checked
    from sidegate.limiter.core import Core, RequestOf
    from sidegate.limiter.limits.applied import Applied, RouteName
    from sidegate.limiter.limits.route_limit import Mark

GUARDS = "sidegate.guards"  # in a scope: the Guards whose limits the route is to check
_CORS = (b"access-control-", b"vary")  # begin the names of fields that CORS sets
_STARTS = {"http.response.start", "websocket.accept", "websocket.http.response.start"}


class Guard:
    """One request at one Limiter: it is checked once, and its fields go out with the response."""

    __slots__ = ("_core", "_is_refused", "_send", "current", "is_routed")

    def __init__(self, core: Core, current: Current, send: Send) -> None:
        self._core = core
        self.current = current
        self.is_routed = False  # has the last of its routes checked its limits?
        self._send = send
        self._is_refused = False

    async def check(self, limits: Sequence[Applied]) -> Checked:
        """Check these limits, and the first time the rules too."""
        outcome = await enforce(self._core.enforcer, self._core.clients.loops, self.current, limits)
        self.current.is_enforced = True
        return outcome

    def limits(self, route: RouteName, method: str, marks: Sequence[Mark]) -> Sequence[Applied]:
        """Return the limits of a route: none if a mark says that it is exempt."""
        return self._core.enforcer.limits(route, method, marks)

    async def send(self, message: Message) -> None:
        """Be the `send` of the app, and add the fields."""
        current = self.current
        if message["type"] == "websocket.close" and not current.is_enforced:  # no route
            await self.check(self._core.enforcer.elsewhere)
        if message["type"] in _STARTS and not current.is_answered:
            current.is_answered = True
            if not current.is_enforced:
                outcome = await self.check(self._core.enforcer.elsewhere)
                if outcome.verdict:
                    self._is_refused = True
                    await self._refuse(outcome.verdict, message)
                    return
            self._give_back(message)
            if current.fields:
                headers = _added(message, current.fields, is_refused=current.is_refused)
                message = {**message, "headers": headers}
        if not self._is_refused:
            await self._send(message)

    def failed(self) -> None:
        """Called when the app has raised: whoever stands around it answers 500."""
        if not self.current.is_answered:
            self._give_back({"type": "http.response.start", "status": 500})

    def _give_back(self, start: Message) -> None:
        if self.current.charged:
            core, response = self._core, SentResponse(start)
            give_back(core.enforcer, core.clients.loops, self.current, response)

    async def _refuse(self, verdict: Verdict, start: Message) -> None:
        """Send a refusal in the place of what the app has answered, but for what CORS said."""
        if start["type"] == "websocket.accept":
            await self._send({"type": "websocket.close", "code": 1008})
            return
        kept = [pair for pair in start.get("headers", ()) if pair[0].lower().startswith(_CORS)]
        told = structs.replace(verdict, fields=[*verdict.fields, *kept])
        kind = start["type"].removesuffix(".response.start")
        await answer_with(told, self._send, kind, with_body=self.current.method != "HEAD")


def _added(message: Message, fields: list[Pair], *, is_refused: bool) -> list[Pair]:
    """Return the headers of a response with fields; a refusal has set some of them itself."""
    headers: list[Pair] = list(message.get("headers", ()))
    if is_refused:
        own = {name.lower() for name, _ in headers}
        fields = [pair for pair in fields if pair[0] not in own]
    return [*headers, *fields]


class LimitedASGIApp(RateLimitMiddleware):
    """See `Limiter.asgi`."""

    def __init__(self, app: App, core: Core) -> None:
        self._core = core
        self._set_up(app, core.settings, core.clients.loops, core.clients.own)
        self._request_of: RequestOf | None = None
        self._is_known = False  # has anybody looked which framework this is?

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request, or pass what isn't one."""
        kind = scope["type"]
        if kind != "http" and kind != "websocket":  # noqa: PLR1714 - as in the middleware
            await super().__call__(scope, receive, send)
            return
        request_of = self._request_of if self._is_known else self._find_framework()
        view = ScopeRequest(scope, self._core.enforcer.limiter.proxies)
        current = Current(self._core.limiter, view, innermost(), scope.get("root_path", ""))
        guard = Guard(self._core, current, send)
        token = begin(current)
        try:
            if request_of is None:
                await self._at_the_door(guard, scope, receive, send)
            else:
                current.make = partial(request_of, scope)
                scope[GUARDS] = [*scope.get(GUARDS, ()), guard]
                await self._app(scope, receive, guard.send)
        except Exception:
            guard.failed()
            raise
        finally:
            end(token)

    async def _at_the_door(self, guard: Guard, scope: Scope, receive: Receive, send: Send) -> None:
        outcome = await guard.check(self._core.enforcer.elsewhere)
        verdict = outcome.verdict
        if verdict is None:
            await self._app(scope, receive, guard.send)
        elif scope["type"] == "http":
            await refuse(self._app, verdict, scope, receive, send)
        else:
            await refuse_handshake(verdict, scope, receive, send)

    def _find_framework(self) -> RequestOf | None:
        self._is_known = True
        self._request_of = self._core.framework_inside(self._app)
        return self._request_of
