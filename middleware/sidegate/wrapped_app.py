"""Apps: is what a middleware goes around of its kind? Found out when it is made."""

from collections.abc import Callable
from inspect import Parameter, iscoroutinefunction, signature
from typing import TypeVar

A = TypeVar("A", bound=Callable[..., object])

_POSITIONAL = {Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD}


def require_asgi(app: A) -> A:
    """Return an ASGI app, which takes scope, receive and send; ValueError if it is none."""
    _require_callable(app)
    if _required(app) in {1, 2} and not iscoroutinefunction(app):
        raise ValueError(
            f"app={app!r:.80}: expected an ASGI app, which takes scope, receive and send; for a"
            " WSGI app, such as a Flask app's wsgi_app, use RateLimitWSGIMiddleware"
        )
    return app


def require_wsgi(app: A) -> A:
    """Return a WSGI app, which takes environ and start_response; ValueError if it is none."""
    _require_callable(app)
    if iscoroutinefunction(app) or iscoroutinefunction(type(app).__call__) or _required(app) == 3:
        raise ValueError(
            f"app={app!r:.80}: expected a WSGI app, which takes environ and start_response; for"
            " an ASGI app use RateLimitMiddleware"
        )
    return app


def _require_callable(app: object) -> None:
    if not callable(app):
        raise ValueError(f"app={app!r:.80}: expected an app, which can be called")  # noqa: TRY004 - options raise ValueError by house rule


def _required(app: Callable[..., object]) -> int:
    """Return how many positional arguments a call needs, 0 if nobody can tell."""
    try:
        parameters = signature(app).parameters.values()
    except (TypeError, ValueError):
        return 0
    return sum(each.kind in _POSITIONAL and each.default is each.empty for each in parameters)
