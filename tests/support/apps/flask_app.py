"""A Flask app, limited."""

import os

from flask import Flask, Response, jsonify, request

from sidegate.wsgi import RateLimitWSGIMiddleware
from tests.support.apps.options import OPTIONS, WORKER

app = Flask(__name__)
app.wsgi_app = RateLimitWSGIMiddleware(app.wsgi_app, **OPTIONS)  # type: ignore[method-assign]


@app.route("/", defaults={"path": ""}, methods=["GET", "POST"])
@app.route("/<path:path>", methods=["GET", "POST"])
def echo(path: str) -> Response:
    """Tell what was asked."""
    del path
    response = jsonify(path=request.path)
    response.headers[WORKER] = str(os.getpid())
    return response


# With --preload this runs before the fork, so the workers inherit a client that is connected.
app.test_client().get("/busy", headers={"x-api-key": f"imported by {os.getpid()}"})
