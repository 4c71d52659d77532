"""A Flask app with a middleware that has all its defaults, and a limit."""

from flask import Flask

from sidegate.http.keys import header
from sidegate.wsgi import RateLimitWSGIMiddleware
from tests.cluster.bursts.burst import LIMIT

app = Flask(__name__)
app.wsgi_app = RateLimitWSGIMiddleware(  # type: ignore[method-assign]
    app.wsgi_app, limits=LIMIT, key=header("x-api-key"), exempt=["/healthz"]
)


@app.get("/")
@app.get("/healthz")
def hello() -> str:
    """Answer."""
    return "hello"
