"""A Flask app with limits on its views and on a blueprint, for any WSGI server.

pip install "..[sidecar]" flask gunicorn
sidegate serve                    # in another terminal: the sidecar, on 127.0.0.1:7171
gunicorn --workers 2 --threads 8 flask_app:app

curl -i localhost:8000/api/hello -H "x-api-key: alice"
"""

from typing import Any

from flask import Blueprint, Flask, abort, jsonify, request

from sidegate import Limiter, RateLimitExceeded, header

# Of each client over the whole app, and of each view that has no limit of its own. Workers and
# threads share them; the server may fork before or after this line (gunicorn --preload).
limiter = Limiter("1000/minute", default_limits="100/minute", service="shop")

PASSWORD = "open sesame"  # noqa: S105  # a real app keeps a hash of each

api = Blueprint("api", __name__, url_prefix="/api")
limiter.limit("100/minute burst 20", key=header("x-api-key"))(api)


@api.get("/hello")
def hello() -> dict[str, Any]:
    """Say it a hundred times a minute to each API key, twenty times at once."""
    return {"hello": "world", "left": limiter.current.remaining}


def create_app() -> Flask:
    """Make the app."""
    app = Flask(__name__)
    limiter.init_app(app)
    app.register_blueprint(api)

    @app.post("/login")
    @limiter.limit("5/minute", charge_when=lambda response: response.status_code == 401)
    def login() -> dict[str, bool]:
        """Let each address guess wrong five times a minute."""
        if request.form.get("password") != PASSWORD:
            abort(401)
        return {"welcome": True}

    @app.get("/healthz")
    @limiter.exempt
    def healthz() -> dict[str, str]:
        """Answer as often as anybody likes."""
        return {"status": "ok"}

    @app.errorhandler(RateLimitExceeded)
    def slow_down(error: RateLimitExceeded) -> Any:  # noqa: ANN401 - a response and its status
        """Answer a refusal; without this, it would be problem+json."""
        return jsonify(error=error.detail), error.status_code

    return app


app = create_app()
