"""The WSGI middleware: Flask, Django, Pyramid, or any app that speaks WSGI (PEP 3333)."""

import time
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, Protocol, Unpack
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from sidegate.blocking import BlockingClient
from sidegate.decision import Decision
from sidegate.fields import Pair
from sidegate.gate import Gate, Options, Verdict
from sidegate.identity import Request
from sidegate.limits import Limits
from sidegate.proxies import Proxies
from sidegate.rules import Rule

_UNPREFIXED = {"content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH"}


class BlockingChecks(Protocol):
    """What the middleware needs of a client."""

    def check(self, key: str, limits: Limits, cost: int) -> Decision:
        """Return the decision, within a budget."""
        ...


class EnvironRequest(Request):
    """A request as its WSGI environ shows it."""

    __slots__ = ("_environ",)

    def __init__(self, environ: WSGIEnvironment, proxies: Proxies) -> None:
        super().__init__(proxies)
        self._environ = environ

    @property
    def method(self) -> str:
        return str(self._environ["REQUEST_METHOD"])

    @property
    def path(self) -> str:
        path: str = self._environ.get("SCRIPT_NAME", "") + self._environ.get("PATH_INFO", "")
        if path.isascii():
            return path
        return path.encode("latin-1", "replace").decode("utf-8", "replace")  # as PEP 3333 has it

    @property
    def peer(self) -> str:
        return str(self._environ.get("REMOTE_ADDR") or "")

    @property
    def raw(self) -> Mapping[str, Any]:
        return self._environ

    def header(self, name: str) -> str:
        name = name.lower()
        variable = _UNPREFIXED.get(name) or "HTTP_" + name.upper().replace("-", "_")
        return str(self._environ.get(variable, ""))

    def _read_headers(self) -> Mapping[str, str]:
        names = [
            name.removeprefix("HTTP_").lower().replace("_", "-")
            for name in self._environ
            if name.startswith("HTTP_")
        ]
        found = {name: self.header(name) for name in (*names, *_UNPREFIXED)}
        return {name: value for name, value in found.items() if value}


class RateLimitWSGIMiddleware:
    """Limits the requests of a WSGI app; see `Options`.

        application = RateLimitWSGIMiddleware(get_wsgi_application(), limits="100/minute")

    It never raises into the app and never waits longer than the budget. Keys and costs must be
    plain functions. The app's response passes as it comes, unbuffered.
    """

    def __init__(self, app: WSGIApplication, **options: Unpack[Options[BlockingChecks]]) -> None:
        self._app = app
        self._gate = Gate(options)
        for rule in self._gate.rules:
            if rule.awaits:
                raise ValueError(f"{rule!r}: key and cost must be plain functions in WSGI")
        self._client = options.get("client") or BlockingClient(
            options.get("sidecar"),
            budget=self._gate.budget,
            on_unreachable=self._gate.on_unreachable,
            secret=options.get("secret"),
            tls=options.get("tls"),
        )

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Handle one request."""
        request = EnvironRequest(environ, self._gate.proxies)
        rule = self._gate.rule_for(request.path, request.method)
        verdict = None if rule is None else self._judge(rule, request)
        if verdict is None:
            return self._app(environ, start_response)
        if not verdict.status:
            return self._app(environ, _adding(verdict.fields, start_response))
        start_response(_status_line(verdict), _as_text(verdict.fields))
        return [] if request.method == "HEAD" else [verdict.body]

    def _judge(self, rule: Rule, request: Request) -> Verdict | None:
        """Return what becomes of a request, None if it isn't limited. It never raises."""
        gate = self._gate
        epoch = time.time() if gate.legacy else 0.0
        try:
            decision = self._ask(rule, request)
            return None if decision is None else gate.verdict(rule, decision, epoch)
        except Exception as error:  # noqa: BLE001 - the app must not suffer for its limiter
            return gate.verdict(rule, gate.fault(rule, error), epoch)

    def _ask(self, rule: Rule, request: Request) -> Decision | None:
        identity = rule.key(request)
        if identity is None:
            return None
        cost = rule.cost(request) if callable(rule.cost) else rule.cost
        key, tokens = self._gate.question(rule, identity, cost)
        return self._client.check(key, rule.limits, tokens)


def _adding(fields: list[Pair], start_response: StartResponse) -> StartResponse:
    """Return a `start_response` that adds fields, also when it is called again for an error."""
    added = _as_text(fields)

    def start_with_fields(
        status: str,
        headers: list[tuple[str, str]],
        *exc_info: Any,  # noqa: ANN401 - passed on
    ) -> Any:  # noqa: ANN401 - the server's write()
        return start_response(status, [*headers, *added], *exc_info)

    return start_with_fields


def _status_line(verdict: Verdict) -> str:
    return f"{verdict.status} {HTTPStatus(verdict.status).phrase}"


def _as_text(fields: list[Pair]) -> list[tuple[str, str]]:
    return [(name.decode("ascii").title(), value.decode("ascii")) for name, value in fields]
