"""The quick start of Flask-Limiter: four views, of which one has the default limits alone."""

from flask import Flask

from sidegate import Limiter

app = Flask(__name__)
limiter = Limiter(
    default_limits=["200 per day", "50 per hour"], service="flask-limiter", trusted_proxies=1
)
limiter.init_app(app)


@app.route("/healthz")
@limiter.exempt
def alive() -> str:
    """Say so."""
    return "ok"


@app.route("/slow")
@limiter.limit("1 per day")
def slow() -> str:
    """Have a limit instead of the default ones."""
    return "turtle"


@app.route("/medium")
@limiter.limit("2/hour", override_defaults=False)
def medium() -> str:
    """Have a limit beside the default ones."""
    return "dog"


@app.route("/fast")
def fast() -> str:
    """Have the default limits."""
    return "hare"


@app.route("/ping")
@limiter.exempt
def ping() -> str:
    """Have no limit."""
    return "pong"
