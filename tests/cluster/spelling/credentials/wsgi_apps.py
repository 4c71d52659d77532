"""Apps that know credentials, in both WSGI frameworks: a field of the request picks one."""

from typing import Any, Final

from flask import Flask, Response, request

from sidegate import RateLimitWSGIMiddleware
from tests.cluster.spelling.credentials import django_secrets
from tests.cluster.spelling.credentials.accounts import knows_basic, knows_bearer
from tests.cluster.spelling.credentials.keyed import by_text, limits
from tests.cluster.spelling.credentials.readers import Knows
from tests.cluster.spelling.serving.picking import wsgi


def flask(knows: Knows, **options: Any) -> Flask:
    """Return an app that answers those who are known."""
    app = Flask(__name__)

    @app.get("/")
    def answer() -> Response:
        return Response(status=200 if knows(request.headers.get) else 401)

    app.wsgi_app = RateLimitWSGIMiddleware(app.wsgi_app, **options)  # type: ignore[method-assign]
    return app


_OWN: Final[dict[str, Knows]] = {
    "flask bearer authorization": lambda _: knows_bearer(request.authorization),
    "flask basic authorization": lambda _: knows_basic(request.authorization),
}

app = wsgi(
    {
        **by_text({"flask": flask}),
        **{way: flask(knows, **limits(way)) for way, knows in _OWN.items()},
        **django_secrets.wsgi(),
    }
)
