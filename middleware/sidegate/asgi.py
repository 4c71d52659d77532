"""The ASGI middleware: FastAPI, Starlette, Django, Litestar, or any app that speaks ASGI."""

import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from inspect import isawaitable
from typing import Any, Protocol, TypeAlias, TypeGuard, Unpack

from sidegate.decision import Decision
from sidegate.elsewhere import AnyLoop, within
from sidegate.fields import Pair
from sidegate.gate import Gate, Options, Verdict, log
from sidegate.identity import Request
from sidegate.limits import Limits
from sidegate.proxies import MOST_ADDRESS, NO_PROXIES, Proxies
from sidegate.rules import Rule

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

_STARTS = {"http.response.start", "websocket.accept", "websocket.http.response.start"}
_POLICY_VIOLATION = 1008
_CLOSE_WITHIN = 1.0  # seconds: the server has more to do before it ends


class Checks(Protocol):
    """What the middleware needs of a client."""

    def check(self, key: str, limits: Limits, cost: int) -> Awaitable[Decision]:
        """Return the decision, within a budget."""
        ...


class ScopeRequest(Request):
    """A request as its ASGI scope shows it."""

    __slots__ = ("_scope",)

    def __init__(self, scope: Scope, proxies: Proxies) -> None:
        super().__init__(proxies)
        self._scope = scope

    @property
    def method(self) -> str:
        return str(self._scope.get("method", "GET"))

    @property
    def path(self) -> str:
        return str(self._scope["path"])

    @property
    def peer(self) -> str:
        client = self._scope.get("client")
        return client[0] or "" if client else ""

    @property
    def raw(self) -> Mapping[str, Any]:
        return self._scope

    def header(self, name: str) -> str:
        wanted = name.lower().encode("latin-1")
        lines = [value for field, value in self._scope["headers"] if field == wanted]
        return b", ".join(lines).decode("latin-1")

    def _read_headers(self) -> Mapping[str, str]:
        names = {name.decode("latin-1") for name, _ in self._scope["headers"]}
        return {name: self.header(name) for name in names}


class RateLimitMiddleware:
    """Limits the HTTP requests and websocket handshakes of an ASGI app; see `Options`.

        app.add_middleware(RateLimitMiddleware, limits="100/minute")

    It never raises into the app, never blocks the loop and never waits longer than the budget.
    Other scopes pass; at the end of a lifespan it closes the client that it made.
    """

    def __init__(self, app: App, **options: Unpack[Options[Checks]]) -> None:
        self._app = app
        self._gate = Gate(options)
        self._own: AnyLoop | None = None
        if (given := options.get("client")) is None:
            given = self._own = AnyLoop(options)
        self._client: Checks = given

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request, or pass what isn't one."""
        kind = scope["type"]
        if kind != "http" and kind != "websocket":  # noqa: PLR1714 - 0.1 µs less than a set
            await self._app(scope, receive, self._closing(send) if kind == "lifespan" else send)
            return
        rule = self._gate.rule_for(scope["path"], scope.get("method", "GET"))
        verdict = None if rule is None else await self._judge(rule, scope)
        if verdict is None:
            await self._app(scope, receive, send)
        elif not verdict.status:
            await self._app(scope, receive, _adding(verdict.fields, send))
        elif kind == "http":
            await _refuse(verdict, send, with_body=scope["method"] != "HEAD")
        else:
            await _refuse_handshake(verdict, scope, receive, send)

    # --- asking

    async def _judge(self, rule: Rule, scope: Scope) -> Verdict | None:
        """Return what becomes of a request, None if it isn't limited. It never raises."""
        gate = self._gate
        epoch = time.time() if gate.legacy else 0.0
        try:
            decision = await self._asked(rule, scope)
            return None if decision is None else gate.verdict(rule, decision, epoch)
        except Exception as error:  # noqa: BLE001 - the app must not suffer for its limiter
            return gate.verdict(rule, gate.fault(rule, error), epoch)

    def _asked(self, rule: Rule, scope: Scope) -> Awaitable[Decision | None]:
        """Begin to ask. The plainest rule, by the peer's address, takes the short way."""
        gate, client = self._gate, scope.get("client")
        if rule.key_of_peer and gate.proxies is NO_PROXIES and client:
            peer = client[0]
            if len(peer) <= MOST_ADDRESS and isinstance(rule.cost, int):
                return self._client.check(rule.key_of_peer(peer), rule.limits, rule.cost)
        return self._ask(rule, ScopeRequest(scope, gate.proxies))

    async def _ask(self, rule: Rule, request: Request) -> Decision | None:
        identity = rule.key(request)
        if not _is_pending(identity):
            return await self._charge(rule, request, identity)
        async with within(self._gate.budget):
            return await self._charge(rule, request, await identity)

    async def _charge(self, rule: Rule, request: Request, identity: object) -> Decision | None:
        if identity is None:
            return None
        cost = rule.cost(request) if callable(rule.cost) else rule.cost
        if not _is_pending(cost):
            return await self._check(rule, identity, cost)
        async with within(self._gate.budget):
            return await self._check(rule, identity, await cost)

    def _check(self, rule: Rule, identity: object, cost: object) -> Awaitable[Decision]:
        key, tokens = self._gate.question(rule, identity, cost)
        return self._client.check(key, rule.limits, tokens)

    # --- the end

    def _closing(self, send: Send) -> Send:
        async def send_last(message: Message) -> None:
            if message["type"].startswith("lifespan.shutdown."):
                await self._close()
            await send(message)

        return send_last

    async def _close(self) -> None:
        if self._own is None:
            return
        try:
            async with within(_CLOSE_WITHIN):
                await self._own.close_here()
        except Exception:  # noqa: BLE001 - it is logged, and the server's shutdown goes on
            log.exception("closing the client failed")


def _is_pending(value: object) -> TypeGuard[Awaitable[object]]:
    return not isinstance(value, str | int) and isawaitable(value)  # in this order: 0.3 µs less


def _adding(fields: list[Pair], send: Send) -> Send:
    """Return a `send` that adds fields to the start of the response.

    It is a plain function that returns what the server's `send` returns, and copies what it
    changes: an app may send the same message or the same list of headers again.
    """

    def send_with_fields(message: Message) -> Awaitable[None]:
        if message["type"] in _STARTS:
            message = {**message, "headers": [*message.get("headers", ()), *fields]}
        return send(message)

    return send_with_fields


async def _refuse(verdict: Verdict, send: Send, kind: str = "http", *, with_body: bool) -> None:
    start = {"status": verdict.status, "headers": verdict.fields}
    await send({"type": f"{kind}.response.start", **start})
    await send({"type": f"{kind}.response.body", "body": verdict.body if with_body else b""})


async def _refuse_handshake(verdict: Verdict, scope: Scope, receive: Receive, send: Send) -> None:
    message = await receive()
    if message["type"] != "websocket.connect":
        return  # the client is gone
    if "websocket.http.response" in (scope.get("extensions") or ()):
        await _refuse(verdict, send, "websocket.http", with_body=True)
    else:
        await send({"type": "websocket.close", "code": _POLICY_VIOLATION})
