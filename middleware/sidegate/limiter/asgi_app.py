"""An ASGI app with the limits of a Limiter: the application's, and those of its routes.

Where the framework is known (`integrations/starlette.py`), a request is checked when its route is:
then all of its limits are one check, and the app's own error handling answers for it. What comes to
no route, such as a path that isn't found, is checked before its response begins. Around any other
app the limits of the application are checked at its door.
"""

from __future__ import annotations

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
from sidegate.limiter.checks.ahead import (
    arrived,
    ask_ahead,
    asked_at_once,
    conclude,
    question_at_once,
    take_back,
)
from sidegate.limiter.checks.asking import ask_one, enforce, give_back
from sidegate.limiter.checks.current import Current, around, begin, end
from sidegate.limiter.checks.sent import SentResponse

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

    from sidegate.asgi.types import App, Message, Receive, Scope, Send
    from sidegate.http.headers import Pair
    from sidegate.http.request.request import Request
    from sidegate.http.request_limiter import SidecarRules, Verdict
    from sidegate.limiter.checks.ahead import AskedAhead
    from sidegate.limiter.checks.enforcer import Checked
    from sidegate.limiter.core import Core, RequestOf
    from sidegate.limiter.limits.applied import Applied

GUARDS = "sidegate.guards"  # in a scope: the Guards whose limits the route is to check
_CORS = (b"access-control-", b"vary")  # begin the names of fields that CORS sets
_HUNG_UP = "ClientDisconnect"
_BODY = "http.response.body"
_CLOSE = "websocket.close"  # of a handshake, if nothing was accepted: it has no fields
_STARTS = {"http.response.start", "websocket.accept", "websocket.http.response.start", _CLOSE}


class Guard(Current):
    """One request at one Limiter: it is checked once, and its fields go out with the response."""

    __slots__ = (
        "_came",
        "_is_replaced",
        "_receive",
        "_request_of",
        "_scope",
        "_scope_there",
        "_send",
        "ahead",
        "core",
        "is_routed",
    )

    def __init__(
        self, core: Core, scope: Scope, send: Send, request_of: RequestOf | None = None
    ) -> None:
        super().__init__(core.limiter, None, around(), scope.get("root_path", ""))
        self.core = core
        self.is_routed = False  # has the last of its routes checked its limits?
        self._scope = scope  # as it has come to us, unless who stands inside changes it
        self._came = arrived(scope)
        self._request_of = request_of
        self._scope_there = scope
        self._receive: Receive | None = None
        self._send = send
        self._is_replaced = False  # has a refusal gone out for what the app answers?
        self.ahead: AskedAhead | None = None  # what was asked at the door, for a route to come

    def check(self, limits: Sequence[Applied]) -> Awaitable[Checked]:
        """Check these limits, and the first time the rules too."""
        if self.ahead is not None:
            self.take_back()
        return enforce(self.core.enforcer, self.core.clients.loops, self, limits)

    def checked(self, limits: Sequence[Applied], stop: object = None) -> Checked | None:
        """Return what becomes of a request at its route if that was asked at the door.

        If not, the next one like it is: at this `stop` of its framework.
        """
        core, asked = self.core, self.ahead
        if asked is None:
            if arrived(self._scope) == self._came:
                core.guesses.learn(self._came, limits, stop, core.enforcer, core.clients.loops)
            return None
        if asked.guess.limits == limits and arrived(self._scope) == self._came:
            self.ahead = None
            return conclude(core.enforcer, self, asked)
        core.guesses.was_wrong(self._came)
        return None

    def passes(self, asked: AskedAhead) -> bool:
        """Conclude the plain case of what was asked at the door, which nearly all are; else False.

        At the stop that was guessed, of which the caller is sure.
        """
        decision, fields = asked.decisions[0], asked.fields
        if fields is None or decision is None or arrived(self._scope) != self._came:
            return False
        self.decisions, self.fields = (decision,), fields
        self.ahead = None
        self.is_enforced = True
        return True

    def is_free(self, limits: Sequence[Applied]) -> bool:
        """Tell whether a request passes its last route without a question; then it has passed."""
        if self.ahead is not None or not self.core.enforcer.asks_nothing(limits):
            return False
        self.is_enforced = True
        return True

    async def check_at_route(self, limits: Sequence[Applied], stop: object = None) -> Checked:
        """Check the limits of the route, unless that was done at the door."""
        return self.checked(limits, stop) or await self.check(limits)

    def take_back(self) -> None:
        """Give back what was charged at the door for a route that didn't come, or isn't to pay."""
        asked, self.ahead = self.ahead, None
        if asked is not None:
            take_back(self.core.clients.loops, self, asked)

    def at(self, request_of: RequestOf, scope: Scope, receive: Receive) -> None:
        """Have the framework's request be made of this when it is asked for, even if it was."""
        self._request_of = request_of
        self._scope_there = scope
        self._receive = receive
        self._request = None

    def _seen(self) -> Request:
        return ScopeRequest(self._scope, self.core.settings.proxies)

    def _made(self) -> Any:  # noqa: ANN401 - whatever the framework has
        if self._request_of is None:
            return self.view
        return self._request_of(self._scope_there, self._receive)

    def send(self, message: Message) -> Awaitable[None]:
        """Be the `send` of the app, and add the fields; a plain function, as the middleware's."""
        if self.is_answered:
            if self._is_replaced:
                return _dropped()
            if message["type"] == _BODY and not message.get("more_body", False):
                return self._send_outside(message)
            return self._send(message)
        if message["type"] not in _STARTS:
            return self._send(message)
        self.is_answered = True
        if self.is_enforced:
            return self._send(self._with_fields(message))
        return self._send_checked(message)

    async def _send_outside(self, message: Message) -> None:
        """Send a message from outside of the request, as the end of each response is.

        Until the next request of a connection a server has a timer, which keeps the context
        variables of where it was set: here. With the request in them that were 40 objects for each
        connection, and of 32 connections more than Python's collector waits for.
        """
        token = begin(None)
        try:
            await self._send(message)
        finally:
            end(token)

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
        if self.charged:
            self._give_back(message)
        if not self.fields or message["type"] == _CLOSE:
            return message
        headers: Sequence[Pair] = message.get("headers", ())
        fields = self.fields
        if self.is_refused:  # then some of them are there
            headers = list(headers)
            own = {name.lower() for name, _ in headers}
            fields = [pair for pair in fields if pair[0] not in own]
        return {**message, "headers": [*headers, *fields]}

    def failed(self, error: Exception) -> None:
        """Called when the app has raised: whoever stands around it answers 500.

        A client that has hung up is answered by nobody, and is charged: else that were a way out.
        """
        if type(error).__name__ == _HUNG_UP:  # whichever framework's
            return
        if self.charged and not self.is_answered:
            self._give_back({"type": "http.response.start", "status": 500})

    def _give_back(self, start: Message) -> None:
        core, response = self.core, SentResponse(start)
        give_back(core.enforcer, core.clients.loops, self, response)

    async def _refuse(self, start: Message, verdict: Verdict) -> None:
        """Send a refusal in the place of what the app has answered, but for what CORS said."""
        if start["type"] == "websocket.accept":
            await self._send({"type": "websocket.close", "code": POLICY_VIOLATION})
            return
        kept = [pair for pair in start.get("headers", ()) if pair[0].lower().startswith(_CORS)]
        told = structs.replace(verdict, fields=[*verdict.fields, *kept])
        kind = start["type"].removesuffix(".response.start")
        await answer_with(told, self._send_outside, kind, with_body=self.method != "HEAD")


async def _dropped() -> None:
    """Send nothing, of a response that was refused."""


def guard_of(scope: Scope, limiter: object) -> Guard | None:
    """Return the Guard of a limiter for this request, None where its middleware doesn't stand."""
    guards: Sequence[Guard] = scope.get(GUARDS, ())
    return next((guard for guard in guards if guard.limiter is limiter), None)


def spare_others(scope: Scope) -> None:
    """Have no other limiter charge a request that one has refused."""
    for guard in scope[GUARDS]:
        guard.is_enforced = True
        guard.take_back()


class LimitedASGIApp(RateLimitMiddleware):
    """See `Limiter.asgi`."""

    def __init__(self, app: App, core: Core, request_of: RequestOf | None = None) -> None:
        """Go around an app; `request_of` is of its framework, which otherwise is looked for."""
        self._core = core
        self._set_up(app, core.settings, core.clients.loops, core.clients.own)
        self._request_of = request_of
        self._is_known = request_of is not None

    @property
    def _rules_to_hear_of(self) -> SidecarRules | None:
        return self._core.rules_to_hear_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request, or pass what isn't one."""
        kind = scope["type"]
        if kind != "http" and kind != "websocket":  # noqa: PLR1714 - as in the middleware
            await super().__call__(scope, receive, send)
            return
        core, outer = self._core, scope.get(GUARDS, ())
        if outer and guard_of(scope, core.limiter):  # it stands further outside too
            await self._app(scope, receive, send)
            return
        request_of = self._request_of if self._is_known else self._find_framework(scope)
        guess = None if request_of is None else core.guesses.of(scope)
        question = None if guess is None else question_at_once(core.enforcer, guess, scope)
        ahead = None
        if guess is not None and question is not None:
            # First of all: what is made before it waits too, and Python's collector looks at it.
            try:
                decision = core.clients.at_hand(question.key, question.rule.limits, question.cost)
                if decision is None:
                    decision = await ask_one(core.clients.loops, question)
                ahead = asked_at_once(core.enforcer, scope, guess, question, decision)
            except Exception:  # noqa: BLE001 - the route asks again, and tells of it
                guess = None
        guard = Guard(core, scope, send, request_of)
        if ahead is not None:
            guard.ahead = ahead
        elif guess is not None:
            guard.ahead = await ask_ahead(core.enforcer, core.clients.loops, guard, guess)
        guards = [*outer, guard]
        token = begin(guard)
        try:
            if request_of is None:
                await self._at_the_door(guard, scope, receive, send)
            else:
                scope[GUARDS] = guards
                await self._app(scope, receive, guard.send)
        except Exception as error:
            guard.failed(error)
            raise
        finally:
            end(token)
            guard.take_back()
            guards.clear()  # else the scope and the guard hold each other: garbage of 28 objects

    async def _at_the_door(self, guard: Guard, scope: Scope, receive: Receive, send: Send) -> None:
        outcome = await guard.check(self._core.enforcer.elsewhere)
        verdict = outcome.verdict
        if verdict is None:
            await self._app(scope, receive, guard.send)
            return
        guard.is_answered = True
        if scope["type"] == "http":
            await refuse(self._app, verdict, scope, receive, guard.send)
        else:
            await refuse_handshake(verdict, scope, receive, send)

    def _find_framework(self, scope: Scope) -> RequestOf | None:
        self._is_known = True
        # A middleware inside may hide what it goes around; Starlette says who it is.
        around: Any = scope.get("app")
        is_own = any(layer is self for layer in layers_of(around))
        self._request_of = self._core.framework_inside(around if is_own else self._app)
        return self._request_of
