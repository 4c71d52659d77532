"""A Flask app with two rules, for any WSGI server.

pip install "..[sidecar]" flask gunicorn
sidegate serve                    # in another terminal: the sidecar, on 127.0.0.1:7171
gunicorn --workers 2 --threads 8 flask_app:app

curl -i localhost:8000/api/hello -H "x-api-key: alice"
"""

from flask import Flask

from sidegate import Limiter, Rule, header

app = Flask(__name__)

# Around wsgi_app, so that `app` stays a Flask app. Workers and threads share the limits; it makes
# no difference whether the server forks before or after this line (gunicorn --preload).
limiter = Limiter(
    rules=[
        Rule("login", "5/minute", path="/login", methods=["POST"]),
        Rule("api", "100/minute burst 20", path="/api/*", key=header("x-api-key")),
    ],
)
app.wsgi_app = limiter.wsgi(app.wsgi_app)  # type: ignore[method-assign]  # as Flask documents it


@app.post("/login")
def login() -> dict[str, bool]:
    """Let each address try five times a minute."""
    return {"welcome": True}


@app.get("/api/hello")
def hello() -> dict[str, str]:
    """Say it a hundred times a minute to each API key, twenty times at once."""
    return {"hello": "world"}


@app.get("/healthz")
def healthz() -> dict[str, str]:
    """Answer as often as anybody likes: no rule matches."""
    return {"status": "ok"}
