"""The views in Flask."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Flask, Response

from sidegate import RateLimitWSGIMiddleware
from tests.cluster.spelling.frameworks.views import SEEN, seen


def _answer(name: str) -> Response:
    return Response(seen(name), headers={SEEN: name})


def flask(**limits: Any) -> Flask:
    """Return a Flask app with a blueprint."""
    app = Flask(__name__)
    app.register_blueprint(_pages())
    app.register_blueprint(_items(), url_prefix="/v1")
    app.wsgi_app = RateLimitWSGIMiddleware(app.wsgi_app, **limits)  # type: ignore[method-assign]
    return app


def _pages() -> Blueprint:
    pages = Blueprint("pages", __name__)

    @pages.get("/")
    def root() -> Response:
        return _answer("root")

    @pages.post("/login")
    def login() -> Response:
        return _answer("login")

    @pages.post("/account/", strict_slashes=False)
    def account() -> Response:
        return _answer("account")

    @pages.post("/users/<number>/delete")
    def user(number: str) -> Response:
        del number
        return _answer("user")

    @pages.get("/files/<path:rest>")
    def files(rest: str) -> Response:
        del rest
        return _answer("files")

    @pages.post("/other")
    def other() -> Response:
        return _answer("other")

    return pages


def _items() -> Blueprint:
    blueprint = Blueprint("items", __name__)

    @blueprint.get("/items")
    def items() -> Response:
        return _answer("items")

    @blueprint.get("/items/<number>")
    def item(number: str) -> Response:
        del number
        return _answer("item")

    return blueprint
