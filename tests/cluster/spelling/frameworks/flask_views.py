"""The views in Flask."""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Flask, Response

from sidegate import RateLimitWSGIMiddleware
from tests.cluster.spelling.frameworks.blueprints import register
from tests.cluster.spelling.frameworks.views import SEEN, seen


def _view(name: str) -> Callable[..., Response]:
    def view(**_: str) -> Response:
        return Response(seen(name), headers={SEEN: name})

    return view


def flask(**limits: Any) -> Flask:
    """Return a Flask app with blueprints."""
    app = Flask(__name__)
    register(app, Blueprint, _view)
    app.wsgi_app = RateLimitWSGIMiddleware(app.wsgi_app, **limits)  # type: ignore[method-assign]
    return app
