"""Flask: `limiter.init_app(app)`. Limits are checked behind the app's `before_request` functions.

So the functions of a limit see what the app has found out by then: session, user, `g`. What such a
function answers itself is checked too, before it goes out.
"""

from __future__ import annotations

from functools import partial, wraps
from typing import TYPE_CHECKING, Any, TypeAlias

from flask import has_request_context, request

from sidegate.integrations import werkzeug
from sidegate.limiter.checks.asking import enforce_blocking
from sidegate.limiter.checks.current import Current, around, begin, end
from sidegate.limiter.checks.exceeded import RateLimitExceeded
from sidegate.wsgi import EnvironRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from werkzeug.wrappers import Response

    from sidegate.limiter.core import Core

    Step: TypeAlias = Callable[..., Any]


def init_app(core: Core, app: Any) -> None:  # noqa: ANN401 - Flask, with methods to be replaced
    """Set an app up; ValueError for a function that has to be awaited. A second time is none."""
    core.require_plain_functions()
    if werkzeug.is_new(core, app):
        core.find_current_by(_find_current)
        app.preprocess_request = _checking(core, werkzeug.Routes(core, app), app.preprocess_request)
        app.finalize_request = _concluding(core, app.finalize_request)


def _checking(core: Core, routes: werkzeug.Routes, preprocess: Step) -> Step:
    @wraps(preprocess)
    def preprocess_request(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - Flask's
        check = partial(_check, core, routes, _request())
        try:
            answer = preprocess(*arguments, **named)
        except RateLimitExceeded:  # of another limiter
            raise
        except Exception:
            check()
            raise
        malformed = check()
        return answer if malformed is None else malformed

    return preprocess_request


def _check(core: Core, routes: werkzeug.Routes, asked: Any) -> Response | None:  # noqa: ANN401 - a request
    """Check a request once; raise its refusal, or return a response to one that is malformed."""
    if werkzeug.current_at(core, asked) is not None:
        return None
    view = EnvironRequest(asked.environ, core.settings.proxies)
    current = Current(core.limiter, view, around(), view.root)
    werkzeug.keep(core, current, asked)
    token = begin(current)
    try:
        checked = enforce_blocking(
            core.enforcer, core.clients.threads, current, routes.limits(asked)
        )
    finally:
        end(token)
    return werkzeug.raise_or_answer(checked)


def _concluding(core: Core, finalize: Step) -> Step:
    @wraps(finalize)
    def finalize_request(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - Flask's
        response = finalize(*arguments, **named)
        werkzeug.conclude(core, core.clients.threads, _request(), response)
        return response

    return finalize_request


def _find_current(core: Core) -> Current | None:
    return werkzeug.current_at(core, _request()) if has_request_context() else None


def _request() -> Any:  # noqa: ANN401 - the app's request class
    """Return the present request itself, as its proxy is another one's in another thread."""
    proxy: Any = request
    return proxy._get_current_object()  # noqa: SLF001 - as Flask documents it
