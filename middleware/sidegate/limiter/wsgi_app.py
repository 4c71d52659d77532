"""A WSGI app with the limits of a Limiter, which are checked at its door: it has no routes here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate.limiter.checks.asking import enforce_blocking
from sidegate.limiter.checks.current import Current, around, begin, end
from sidegate.wrapped_app import require_wsgi
from sidegate.wsgi import EnvironRequest, adding, refuse

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from sidegate.limiter.core import Core


class LimitedWSGIApp:
    """See `Limiter.wsgi`."""

    def __init__(self, app: WSGIApplication, core: Core) -> None:
        """ValueError for a function that has to be awaited."""
        self._app = require_wsgi(app)
        self._core = core
        core.require_plain_functions()
        core.tell_of_routes(app)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Handle one request."""
        core = self._core
        view = EnvironRequest(environ, core.settings.proxies)
        current = Current(core.limiter, view, around(), view.root)
        outcome = enforce_blocking(
            core.enforcer, core.clients.threads, current, core.enforcer.elsewhere
        )
        if outcome.verdict is not None:
            return refuse(outcome.verdict, view, start_response)
        token = begin(current)
        try:
            return self._app(environ, adding(current.fields, start_response))
        finally:
            end(token)
