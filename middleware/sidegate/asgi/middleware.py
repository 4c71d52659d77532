"""The ASGI middleware: FastAPI, Starlette, Django, Litestar, or any app that speaks ASGI."""

import time
from collections.abc import AsyncGenerator, Awaitable, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Protocol, Unpack

from sidegate.asgi.at_hand import at_hand
from sidegate.asgi.evaluation import run
from sidegate.asgi.other_loops import AnyLoop, within
from sidegate.asgi.refusal import refuse, refuse_handshake
from sidegate.asgi.request_slots import RequestSlots, require_slots
from sidegate.asgi.types import App, Message, Receive, Scope, Send
from sidegate.buckets.decision import Decision
from sidegate.buckets.limits import Limits
from sidegate.errors import NoSlot
from sidegate.http.evaluation import RuleQuestion, asked_by_sidecar, asking
from sidegate.http.headers import Pair
from sidegate.http.in_flight import without_slot
from sidegate.http.paid import PAID, is_paid
from sidegate.http.request.proxies import MAX_ADDRESS, NO_PROXIES, Proxies
from sidegate.http.request.request import Request
from sidegate.http.request_limiter import Chain, RequestLimiter, SidecarRules, Verdict, log
from sidegate.http.rules import Rule
from sidegate.http.settings import Settings
from sidegate.middleware_options import Options, settings_of
from sidegate.sidecar_rules import watch
from sidegate.wrapped_app import require_asgi

_STARTS = {"http.response.start", "websocket.accept", "websocket.http.response.start"}
_CLOSE_WITHIN = 1.0  # seconds: the server has more to do before it ends


class Checker(Protocol):
    """What the middleware needs of a client."""

    def check(self, key: str, limits: Limits, cost: int) -> Awaitable[Decision]:
        """Return the decision, within a budget."""
        ...


class ScopeRequest(Request):
    """A request as its ASGI scope shows it."""

    __slots__ = ("_scope",)

    def __init__(self, scope: Scope, proxies: Proxies) -> None:
        self.proxies = proxies
        self._headers = None
        self._scope = scope

    @property
    def method(self) -> str:
        return str(self._scope.get("method", "GET")).upper()

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

    def lines(self, name: str) -> list[str]:
        wanted = name.lower().encode("latin-1")
        return [
            value.decode("latin-1")
            for field, value in self._scope["headers"]
            if field == wanted or field.lower() == wanted
        ]

    def names(self) -> list[str]:
        names = (name.decode("latin-1").lower() for name, _ in self._scope["headers"])
        return list(dict.fromkeys(names))


class RateLimitMiddleware:
    """Limits the HTTP requests and websocket handshakes of an ASGI app; see `Options`.

        app.add_middleware(RateLimitMiddleware, limits="100/minute")

    It never raises into the app, never blocks the loop and never waits longer than the budget.
    Other scopes pass; at the end of a lifespan it closes the client that it made.
    """

    def __init__(self, app: App, **options: Unpack[Options[Checker]]) -> None:
        own = AnyLoop(options) if options.get("client") is None else None
        settings = settings_of(options)
        self._set_up(app, settings, options.get("client") or own, own)
        if settings.from_sidecar:
            watch(self._limiter, self._client, options, is_own=own is not None)

    def _set_up(self, app: App, settings: Settings, client: Any, own: AnyLoop | None) -> None:  # noqa: ANN401 - a Checker
        """Keep what the options said; `own` is the client if it is closed with the app."""
        self._app = require_asgi(app)
        self._limiter = RequestLimiter(settings, time.monotonic)
        self._client: Checker = client
        self._at_hand = at_hand(client)
        self._own = own
        if own is not None:
            self._limiter.count = own.count
        if self._limiter.holds:
            require_slots(client)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request, or pass what isn't one."""
        kind = scope["type"]
        if kind != "http" and kind != "websocket":  # noqa: PLR1714 - 0.1 µs less than a set
            if (rules := self._rules_to_hear_of) is not None:
                rules.now()  # from now on: before the first request
            await self._app(scope, receive, self._closing(send) if kind == "lifespan" else send)
            return
        limiter = self._limiter
        if limiter.sidecar is not None and await self._by_sidecar(scope, receive, send):
            return
        if limiter.holds:
            await self._holding(self._questions(scope), scope, receive, send)
        elif (verdict := self._at_once(scope)) is not None:
            await self._go_on(verdict, scope, receive, send)
        else:
            await self._check(scope, receive, send)

    def _at_once(self, scope: Scope) -> Verdict | None:
        """Return what becomes of a request that nobody is to be asked about: most of busy clients.

        That takes a quarter of the time of `_check`. None, and nothing is charged, for any other.
        """
        limiter = self._limiter
        rule = limiter.plainest
        if rule is None or PAID in scope or (key := self._key_of_peer(rule, scope)) is None:
            return None
        try:
            limits, cost = rule.limits, rule.cost
            assert isinstance(cost, int)  # else there is no key of the peer
            if (decision := self._at_hand(key, limits, cost)) is None:
                return None
            scope[PAID] = {(key, limits.text): rule}
            return limiter.passing(rule, decision) or self._judged(rule, decision, scope)
        except Exception as error:  # noqa: BLE001 - the app must not suffer for its limiter
            return limiter.check_failed(rule, error)

    async def _check(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request by the app's own rules."""
        limiter, verdict = self._limiter, None
        method, root = scope.get("method", "GET"), scope.get("root_path", "")
        for chain in limiter.chains(scope["path"], root, method):  # one, nearly always
            judged: Verdict | None = None
            asked = self._by_peer(chain[0], scope) or await self._question(chain, scope)
            if isinstance(asked, RuleQuestion):
                rule, key, cost = asked
                if is_paid(scope, key, rule):
                    continue
                asked = None  # what waits here is looked at by Python's collector, again and again
                try:
                    decision = await self._client.check(key, rule.limits, cost)
                    judged = self._judged(rule, decision, scope)
                except Exception as error:  # noqa: BLE001 - the app must not suffer for its limiter
                    judged = limiter.check_failed(rule, error)
            else:
                judged = asked
            if judged is not None:
                verdict = judged.after(verdict)
                if verdict.status:
                    break
        await self._go_on(verdict, scope, receive, send)

    @property
    def _rules_to_hear_of(self) -> SidecarRules | None:
        return self._limiter.sidecar

    # --- asking

    async def _by_sidecar(self, scope: Scope, receive: Receive, send: Send) -> bool:
        """Handle a request by the sidecar's rules; False, and nothing is done, without any."""
        limiter = self._limiter
        request = ScopeRequest(scope, limiter.proxies)
        found = asked_by_sidecar(limiter, request, scope.get("root_path", ""))
        if found is None:
            return False
        if any(isinstance(asked, RuleQuestion) and asked.rule.in_flight for asked in found):
            await self._holding(_each(found), scope, receive, send)
            return True
        verdict: Verdict | None = None
        for asked in found:
            judged = asked if isinstance(asked, Verdict) else await self._decided(asked, scope)
            if judged is not None:
                verdict = judged.after(verdict)
                if verdict.status:
                    break
        await self._go_on(verdict, scope, receive, send)
        return True

    async def _decided(
        self, asked: RuleQuestion, scope: Scope, slots: RequestSlots | None = None
    ) -> Verdict | None:
        """Ask, and return what becomes of the request by that; None if it has paid before."""
        rule, key, cost = asked
        if is_paid(scope, key, rule):
            return None
        lacking: Verdict | None = None
        try:
            if slots is not None and rule.in_flight:
                await slots.take(key, rule.in_flight)
        except NoSlot as missed:
            lacking = without_slot(
                self._limiter, rule, missed, ScopeRequest(scope, self._limiter.proxies)
            )
            if lacking.status:
                return lacking
        except Exception as error:  # noqa: BLE001 - the app must not suffer for its limiter
            return self._limiter.check_failed(rule, error)
        try:
            decision = await self._client.check(key, rule.limits, cost)
            return self._judged(rule, decision, scope).after(lacking)
        except Exception as error:  # noqa: BLE001 - the app must not suffer for its limiter
            return self._limiter.check_failed(rule, error)

    async def _questions(self, scope: Scope) -> AsyncGenerator[RuleQuestion | Verdict | None]:
        """Yield what to ask about a request by the rules of the app."""
        method, root = scope.get("method", "GET"), scope.get("root_path", "")
        for chain in self._limiter.chains(scope["path"], root, method):
            yield self._by_peer(chain[0], scope) or await self._question(chain, scope)

    async def _holding(
        self,
        questions: AsyncGenerator[RuleQuestion | Verdict | None],
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        """Handle a request that is to hold slots while the app answers it."""
        verdict: Verdict | None = None
        async with RequestSlots(self._client) as slots, aclosing(questions):
            async for asked in questions:
                if isinstance(asked, RuleQuestion):
                    judged = await self._decided(asked, scope, slots)
                else:
                    judged = asked
                if judged is not None:
                    verdict = judged.after(verdict)
                    if verdict.status:
                        await slots.free()
                        break
            await self._go_on(verdict, scope, receive, slots.ending(send))

    def _by_peer(self, rule: Rule, scope: Scope) -> RuleQuestion | None:
        """Return what the plainest rule asks, by the peer's address; None if it takes more."""
        if self._limiter.proxies is not NO_PROXIES:
            return None
        key = self._key_of_peer(rule, scope)
        if key is None:
            return None
        assert isinstance(rule.cost, int)  # else there is no key of the peer
        return RuleQuestion(rule, key, rule.cost)

    def _key_of_peer(self, rule: Rule, scope: Scope) -> str | None:
        """Return the key of the peer by a rule; None if it takes more than its address."""
        key_of, client = rule.key_of_peer, scope.get("client")
        if key_of is None or not client or not (address := client[0]):
            return None
        if len(address) > MAX_ADDRESS or scope.get("method", "GET").upper() == "OPTIONS":
            return None
        return key_of(address)

    async def _question(self, chain: Chain, scope: Scope) -> RuleQuestion | Verdict | None:
        """Return what to ask about a request, or what becomes of it; None if it isn't limited."""
        request = ScopeRequest(scope, self._limiter.proxies)
        return await run(asking(self._limiter, chain, request), self._limiter)

    def _judged(self, rule: Rule, decision: Decision, scope: Scope) -> Verdict:
        """Return what becomes of a request by this decision."""
        limiter = self._limiter
        epoch = time.time() if limiter.legacy else 0.0
        is_told = not decision.allowed and limiter.settings.on_denied is not None
        request = ScopeRequest(scope, limiter.proxies) if is_told else None
        return limiter.verdict(rule, decision, epoch, request)

    def _go_on(
        self, verdict: Verdict | None, scope: Scope, receive: Receive, send: Send
    ) -> Awaitable[None]:
        """Have the app answer, or answer in its place."""
        if verdict is None:
            return self._app(scope, receive, send)
        if not verdict.status:
            return self._app(scope, receive, _adding(verdict.fields, send))
        if scope["type"] == "http":
            return refuse(self._app, verdict, scope, receive, send)
        return refuse_handshake(verdict, scope, receive, send)

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


async def _each(
    found: Sequence[RuleQuestion | Verdict],
) -> AsyncGenerator[RuleQuestion | Verdict | None]:
    for asked in found:
        yield asked


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
