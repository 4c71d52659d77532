"""The WSGI middleware: Flask, Django, Pyramid, or any app that speaks WSGI (PEP 3333)."""

import time
from collections.abc import Iterable, Mapping
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Final, Protocol, Unpack
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from sidegate.buckets.decision import Decision
from sidegate.buckets.limits import Limits
from sidegate.client.blocking import BlockingClient
from sidegate.http.evaluation import RuleQuestion, asked_by_sidecar, asking, run
from sidegate.http.headers import Pair
from sidegate.http.in_flight import without_slot
from sidegate.http.paid import is_paid
from sidegate.http.request.proxies import Proxies
from sidegate.http.request.request import Request
from sidegate.http.request_limiter import RequestLimiter, Verdict
from sidegate.middleware_options import Options, settings_of
from sidegate.sidecar_rules import watch
from sidegate.wrapped_app import require_wsgi
from sidegate.wsgi_slots import WSGISlots, require_thread_slots

_MAX_NAMES: Final = 256  # of fields, remembered as they are written: ours, and those of on_denied
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
        return str(self._environ["REQUEST_METHOD"]).upper()

    @property
    def path(self) -> str:
        return self.root + _text(self._environ.get("PATH_INFO", ""))

    @property
    def root(self) -> str:
        """The path that the app is mounted under."""
        return _text(self._environ.get("SCRIPT_NAME", ""))

    @property
    def peer(self) -> str:
        return str(self._environ.get("REMOTE_ADDR") or "")

    @property
    def raw(self) -> Mapping[str, Any]:
        return self._environ

    def lines(self, name: str) -> list[str]:
        name = name.lower()
        variable = _UNPREFIXED.get(name) or "HTTP_" + name.upper().replace("-", "_")
        value = self._environ.get(variable)
        return [] if value is None else [str(value)]

    def names(self) -> list[str]:
        names = [
            name.removeprefix("HTTP_").lower().replace("_", "-")
            for name in self._environ
            if name.startswith("HTTP_")
        ]
        return [*names, *(name for name in _UNPREFIXED if self.header(name))]


def _text(latin: str) -> str:
    """Return a part of the path as the text that PEP 3333 hides in Latin-1."""
    return (
        latin if latin.isascii() else latin.encode("latin-1", "replace").decode("utf-8", "replace")
    )


class RateLimitWSGIMiddleware:
    """Limits the requests of a WSGI app; see `Options`.

        application = RateLimitWSGIMiddleware(get_wsgi_application(), limits="100/minute")

    It never raises into the app and never waits longer than the budget. Keys and costs must be
    plain functions. The app's response passes as it comes, unbuffered.
    """

    def __init__(self, app: WSGIApplication, **options: Unpack[Options[BlockingChecks]]) -> None:
        self._app = require_wsgi(app)
        self._limiter = limiter = RequestLimiter(settings_of(options), time.monotonic)
        for rule in limiter.rules:
            if rule.awaits:
                raise ValueError(f"{rule!r}: key and cost must be plain functions in WSGI")
        self._client: BlockingChecks
        if (given := options.get("client")) is not None:
            self._client = given
            if limiter.holds:
                require_thread_slots(given)
            if limiter.settings.from_sidecar:
                watch(limiter, given, options, is_own=False)
            return
        self._client = own = BlockingClient(
            options.get("sidecar"),
            budget=limiter.settings.budget,
            on_unreachable=limiter.settings.on_unreachable,
            secret=options.get("secret"),
            tls=options.get("tls"),
            otel=options.get("otel"),
            lease=options.get("lease"),
        )
        limiter.count = own.count
        if limiter.settings.from_sidecar:
            watch(limiter, own, options, is_own=True)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Handle one request."""
        request = EnvironRequest(environ, self._limiter.proxies)
        with WSGISlots(self._client) as slots:
            verdict = self._verdict(request, environ, slots)
            if verdict is not None and verdict.status:
                return refuse(verdict, request, start_response)
            if verdict is not None:
                start_response = adding(verdict.fields, start_response)
            return slots.until_closed(self._app(environ, start_response))

    def _verdict(
        self, request: EnvironRequest, environ: WSGIEnvironment, slots: WSGISlots
    ) -> Verdict | None:
        verdict: Verdict | None = None
        for asked in self._asked(request):
            judged = self._judge(asked, request, environ, slots)
            if judged is not None:
                verdict = judged.after(verdict)
                if verdict.status:
                    break
        return verdict

    def _asked(self, request: EnvironRequest) -> Iterable[RuleQuestion | Verdict | None]:
        """Return what to ask about a request, one after the other, by the sidecar's rules or ours.

        What doesn't need to be asked is what becomes of it.
        """
        limiter = self._limiter
        found = asked_by_sidecar(limiter, request, request.root)
        if found is not None:
            return found
        chains = limiter.chains(request.path, request.root, request.method)
        return (run(asking(limiter, chain, request)) for chain in chains)

    def _judge(
        self,
        asked: RuleQuestion | Verdict | None,
        request: EnvironRequest,
        environ: WSGIEnvironment,
        slots: WSGISlots,
    ) -> Verdict | None:
        """Return what becomes of a request, None if it isn't limited. It never raises."""
        limiter = self._limiter
        if not isinstance(asked, RuleQuestion):
            return asked
        rule, key, cost = asked
        if is_paid(environ, key, rule):
            return None
        epoch = time.time() if limiter.legacy else 0.0
        lacking: Verdict | None = None
        try:
            if rule.in_flight and (missed := slots.take(key, rule.in_flight)):
                lacking = without_slot(limiter, rule, missed, request)
                if lacking.status:
                    return lacking
            decision = self._client.check(key, rule.limits, cost)
            return limiter.verdict(rule, decision, epoch, request).after(lacking)
        except Exception as error:  # noqa: BLE001 - the app must not suffer for its limiter
            return limiter.check_failed(rule, error)


def refuse(verdict: Verdict, request: Request, start_response: StartResponse) -> Iterable[bytes]:
    """Answer a request in the place of the app."""
    start_response(_status_line(verdict), as_text(verdict.fields))
    return [] if request.method == "HEAD" else [verdict.body]


def adding(fields: list[Pair], start_response: StartResponse) -> StartResponse:
    """Return a `start_response` that adds fields, also when it is called again for an error."""
    added = as_text(fields)

    def start_with_fields(
        status: str,
        headers: list[tuple[str, str]],
        *exc_info: Any,  # noqa: ANN401 - passed on
    ) -> Any:  # noqa: ANN401 - the server's write()
        return start_response(status, [*headers, *added], *exc_info)

    return start_with_fields


def _status_line(verdict: Verdict) -> str:
    known = verdict.status in HTTPStatus._value2member_map_  # on_denied may choose another
    return f"{verdict.status} {HTTPStatus(verdict.status).phrase if known else 'Denied'}"


def as_text(fields: Iterable[Pair]) -> list[tuple[str, str]]:
    """Return fields as WSGI has them: values are those of `on_denied` too, in Latin-1."""
    return [(_title(name), value.decode("latin-1")) for name, value in fields]


@lru_cache(_MAX_NAMES)
def _title(name: bytes) -> str:
    return name.decode("ascii").title()
