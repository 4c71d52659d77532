"""A Flask app with limits on its views, and with error handling of its own."""

import os
from collections.abc import Iterator
from typing import Any

from flask import Blueprint, Flask, Response, jsonify, request, stream_with_context
from flask.views import MethodView
from werkzeug.exceptions import HTTPException

from sidegate import Limiter, RateLimitExceeded
from tests.support.apps.options import WORKER

# Windows are so long that no token comes back while a test looks, on however busy a machine.
limiter = Limiter(
    "1000/day",
    default_limits="5/hour",
    service="shop",
    trusted_proxies=1,
    budget=60.0,
    lease=False,  # tests look at what is left to the last token
)


def user() -> str | None:
    """Return who asks."""
    return request.headers.get("x-user")


class Things(MethodView):
    """One limit for each method."""

    decorators = [limiter.limit("7/hour", scope="things")]  # noqa: RUF012 - as Flask has it

    @limiter.limit("2/hour")
    def post(self) -> str:
        """Make one."""
        return "made"

    def get(self) -> str:
        """Show them."""
        return "things"


def login(status: int) -> tuple[str, int]:
    """Answer with that status."""
    return "", status


def whoami() -> Response:
    """Tell who asks, as the limiter saw it and as it is sent in pieces later on."""

    def pieces() -> Iterator[str]:
        yield f"{limiter.current.request.headers['x-user']} "
        yield f"{request.headers['x-user']} {limiter.current.remaining is not None}"

    return Response(stream_with_context(pieces()))


def refused(error: Any) -> tuple[Response, int]:
    """Answer a refusal in this app's own form."""
    assert isinstance(error, HTTPException)
    return jsonify(slow_down=error.description), error.code or 500


def mark(response: Response) -> Response:
    """Say which process answered."""
    response.headers[WORKER] = str(os.getpid())
    return response


def create_app() -> Flask:
    """Make the app."""
    app = Flask("shop")
    limiter.init_app(app)
    app.add_url_rule("/", "index", lambda: "ok")
    app.add_url_rule("/healthz", "healthz", limiter.exempt(lambda: "ok"))
    app.add_url_rule("/things", view_func=Things.as_view("things"))
    failures = limiter.limit("3/hour", charge_when=lambda response: response.status_code == 401)
    app.add_url_rule("/login/<int:status>", view_func=failures(login), methods=["POST"])
    api = Blueprint("api", "shop")
    limiter.limit("1000/day", key=user)(api)
    api.add_url_rule("/whoami", view_func=whoami)
    app.register_blueprint(api, url_prefix="/api")
    app.register_error_handler(RateLimitExceeded, refused)
    app.after_request(mark)
    return app


app = create_app()
