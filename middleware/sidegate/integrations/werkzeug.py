"""Werkzeug: what Flask and Quart have in common, since both route and refuse by it.

Which limits a request has is found out from the route that it has come to, so that each view is
counted once, however its path is spelled.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import HTTPException, default_exceptions
from werkzeug.wrappers import Response

from sidegate.limiter.checks.asking import give_back
from sidegate.limiter.checks.exceeded import RateLimitExceeded
from sidegate.limiter.limits.applied import STANDARD, RouteName, fit_name, nearest
from sidegate.limiter.limits.marks import Mark, handler_of, marks_of, marks_of_handler
from sidegate.wsgi import as_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidegate.buckets.decision import Decision
    from sidegate.http.request_limiter import Verdict
    from sidegate.limiter.checks.current import Current
    from sidegate.limiter.checks.enforcer import Checked
    from sidegate.limiter.core import Core
    from sidegate.limiter.limits.applied import Applied

EXTENSION = "sidegate"  # in app.extensions: the limiters of an app
_CURRENTS = "sidegate_currents"  # on a request: what each limiter has decided about it
_FRAMEWORKS = ("flask.", "quart.")  # where views are that no app has written
_MAX_KINDS = 256  # statuses that on_denied may choose: 400 to 599


def is_new(core: Core, app: Any) -> bool:  # noqa: ANN401 - Flask or Quart
    """Tell whether an app is to be set up with a limiter; the second time it isn't."""
    limiters: list[object] = app.extensions.setdefault(EXTENSION, [])
    if core.limiter in limiters:
        return False
    limiters.append(core.limiter)
    return True


# --- the current request


def current_at(core: Core, request: Any) -> Current | None:  # noqa: ANN401 - or a websocket
    """Return what a limiter has decided about a request; None if it hasn't seen it.

    It lies on the request, so it is there as long as that is, and for nobody else.
    """
    currents: dict[Core, Current] = getattr(request, _CURRENTS, {})
    return currents.get(core)


def keep(core: Core, current: Current, request: Any) -> None:  # noqa: ANN401 - or a websocket
    """Have a request be the one that a limiter decides about."""
    current.request = request
    setattr(request, _CURRENTS, {**getattr(request, _CURRENTS, {}), core: current})


# --- which limits


class Routes:
    """The limits of an app's views, which are looked up once for each view and method."""

    def __init__(self, core: Core, app: Any) -> None:  # noqa: ANN401 - Flask or Quart
        self._core = core
        self._app = app
        # By endpoint and method, so no more than the app has: a route may take any method, but the
        # ones that clients make up aren't kept. With the view, which may be replaced.
        self._known: dict[tuple[str, str], tuple[object, Sequence[Applied]]] = {}

    def limits(self, request: Any) -> Sequence[Applied]:  # noqa: ANN401 - of both
        """Return the limits of the view that a request has come to.

        What comes to none has the limits of the application: a path that isn't found, a redirect
        to the right one, and what the framework answers itself: OPTIONS, and its static files.
        """
        rule = request.url_rule
        if request.routing_exception is not None or rule is None:
            return self._core.enforcer.elsewhere
        view, method = self._app.view_functions.get(rule.endpoint), method_of(request)
        known = self._known.get((rule.endpoint, method))
        if known is None or known[0] is not view:
            known = view, self._look_up(request, view, method)
            if method in STANDARD:
                self._known[rule.endpoint, method] = known
        return known[1]

    def marks(self, request: Any) -> Sequence[Mark]:  # noqa: ANN401 - of both
        """Return the marks that count for a request: of its view, else of its blueprints."""
        method, limiter = method_of(request), self._core.limiter
        view = self._app.view_functions.get(request.url_rule.endpoint)
        blueprints = (self._app.blueprints.get(name) for name in request.blueprints)
        levels = [_marks_of_view(view, method, limiter)]
        levels += [marks_of(blueprint, limiter) for blueprint in blueprints]
        return nearest(levels, method)

    def name(self, request: Any) -> RouteName:  # noqa: ANN401 - of both
        """Return the route: of app and endpoint, which are the same in all workers."""
        endpoint = request.url_rule.endpoint
        name = endpoint.rpartition(".")[2]  # behind its blueprints: that of the function, usually
        return RouteName(fit_name(f"{self._app.name}.{endpoint}"), fit_name(name))

    def _look_up(self, request: Any, view: object, method: str) -> Sequence[Applied]:  # noqa: ANN401 - of both
        enforcer, marks = self._core.enforcer, self.marks(request)
        is_exempt = any(mark.limit is None for mark in marks)
        if not is_exempt and self._is_of_framework(request.url_rule, view, method):
            return enforcer.elsewhere
        return enforcer.limits(self.name(request), method, marks)

    def _is_of_framework(self, rule: Any, view: object, method: str) -> bool:  # noqa: ANN401 - of both
        """Tell whether the framework itself answers: with its static files, or to OPTIONS."""
        if method == "OPTIONS" and getattr(rule, "provide_automatic_options", False):
            return True
        home = str(getattr(view, "__module__", ""))
        return home.startswith(_FRAMEWORKS) and not marks_of(view, self._core.limiter)


def method_of(request: Any) -> str:  # noqa: ANN401 - of both
    """Return the method of a request; the handshake of a websocket is a GET."""
    return str(getattr(request, "method", "GET")).upper()


def _marks_of_view(view: object, method: str, limiter: object) -> list[Mark]:
    marks = marks_of(view, limiter)
    view_class = getattr(view, "view_class", None)
    if view_class is None:
        return marks
    marks += marks_of(view_class, limiter)
    marks += marks_of(getattr(view_class, "dispatch_request", None), limiter)
    return marks + marks_of_handler(handler_of(view_class, method), limiter)


# --- refusing


class WerkzeugRateLimitExceeded(RateLimitExceeded, HTTPException):
    """RateLimitExceeded for error handlers: of its own class, of its status, or of all HTTP errors.

    Without a handler it is the usual response.
    """

    def __init__(self, decision: Decision, verdict: Verdict, detail: str) -> None:
        super().__init__(decision, verdict, detail)
        self.description = detail
        self.response = None

    def get_body(self, environ: Any = None, scope: Any = None) -> str:  # noqa: ANN401, ARG002 - Werkzeug's
        """Return the body of the usual response."""
        return self.body.decode("utf-8", "replace")

    def get_headers(self, environ: Any = None, scope: Any = None) -> list[tuple[str, str]]:  # noqa: ANN401, ARG002 - Werkzeug's
        """Return the header fields of the usual response."""
        return as_text(self.verdict.fields)

    def get_response(self, environ: Any = None, scope: Any = None) -> Response:  # noqa: ANN401, ARG002 - Werkzeug's
        """Return the usual response, which a handler may change."""
        return Response(self.body, self.status_code, self.get_headers())


@lru_cache(_MAX_KINDS)
def _kind_of(status: int) -> type[WerkzeugRateLimitExceeded]:
    """Return the class for a status: handlers of a status are found by Werkzeug's class for it."""
    kind = default_exceptions.get(status, HTTPException)
    bases = (WerkzeugRateLimitExceeded, kind)
    return type(WerkzeugRateLimitExceeded.__name__, bases, {"code": status})


def exception_of(exceeded: RateLimitExceeded) -> WerkzeugRateLimitExceeded:
    """Return what to raise in a request, for the app's own error handlers to answer."""
    made = _kind_of(exceeded.status_code)
    return made(exceeded.decision, exceeded.verdict, exceeded.detail)


def raise_or_answer(checked: Checked) -> Response | None:
    """Raise the refusal of a request; return a response to a malformed one, None if it passes."""
    if checked.exceeded is not None:
        raise exception_of(checked.exceeded)
    verdict = checked.verdict
    if verdict is None:
        return None
    return Response(verdict.body, verdict.status, as_text(verdict.fields))


# --- answering


def conclude(core: Core, client: Any, request: Any, response: Any) -> None:  # noqa: ANN401 - of both
    """Have the response say what was decided, and give back what isn't to be charged for it.

    Fields are set and not added, as an app may return one object for many requests.
    """
    current = current_at(core, request)
    if current is None:
        return
    if current.charged:
        give_back(core.enforcer, client, current, response)
    currents: dict[Core, Current] = getattr(request, _CURRENTS)
    if len(currents) == 1 and not current.is_refused:
        said = dict(found := as_text(current.fields))
        if len(said) == len(found):  # each name once, as nearly always
            for name, value in found:
                response.headers.set(name, value)
            return
    is_refused = any(each.is_refused for each in currents.values())
    fields: dict[str, list[str]] = {}
    for each in currents.values():
        for name, value in as_text(each.fields):
            fields.setdefault(name, []).append(value)
    for name, values in fields.items():
        if not (is_refused and name in response.headers):
            response.headers.setlist(name, values)
