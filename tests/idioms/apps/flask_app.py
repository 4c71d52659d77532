"""A Flask app with limits of all kinds, as Flask-Limiter has them."""

from typing import Any

from flask import (
    Blueprint,
    Flask,
    Response,
    g,
    jsonify,
    render_template_string,
    request,
    session,
)
from flask.views import MethodView, View

from sidegate import RateLimitExceeded, header
from tests.idioms.apps.limiters import limiter_of

app = Flask(__name__)
app.config["SECRET_KEY"] = "of a test"
config: Any = app.config
config["REPORTS_LIMIT"] = "2/day"
config["SIDEGATE"] = {"limits": "9/day", "default_limits": "4/day", "exempt": ["/healthz"]}

limiter = limiter_of("flask", **config["SIDEGATE"])
limiter.init_app(app)


@app.before_request
def authenticate() -> None:
    """Believe x-user, and what logging in has left in the session."""
    g.user = request.headers.get("x-user") or session.get("user")


@app.errorhandler(429)
def too_many(error: RateLimitExceeded) -> tuple[Response, int]:
    """Answer all refusals in the app's own form."""
    return jsonify(error=error.detail, wait=error.retry_after), 429


@app.get("/healthz")
def alive() -> str:
    """Say so."""
    return "ok"


# --- limits of views


@app.get("/decorated/<int:number>")
@limiter.limit("2/day")
def decorated(number: int) -> str:
    """Have a limit of its own."""
    return str(number)


@app.get("/one")
def one() -> str:
    """Have the default limits."""
    return "ok"


@app.get("/two")
def two() -> str:
    """Have the default limits, counted apart."""
    return "ok"


@app.get("/both")
@limiter.limit("3/day", override_defaults=False)
def both() -> str:
    """Have the default limits too."""
    return "ok"


@app.route("/each", methods=["GET", "POST"])
@limiter.limit("2/day", per_method=True)
def each() -> str:
    """Count each method for itself."""
    return "ok"


def limit_of_reports() -> str:
    """Look a limit up."""
    return str(config["REPORTS_LIMIT"])


@app.get("/reports")
@limiter.limit(limit_of_reports)
def reports() -> str:
    """Have a limit of the configuration."""
    return "ok"


database = limiter.shared_limit("3/day", scope="database")


@app.get("/shared-a")
@database
def shared_a() -> str:
    """Share a limit."""
    return "ok"


@app.get("/shared-b")
@database
def shared_b() -> str:
    """Share it."""
    return "ok"


@app.get("/free")
@limiter.exempt
def free() -> str:
    """Be exempt."""
    return "ok"


@app.get("/internal")
@limiter.limit("1/day", exempt_when=lambda: "x-internal" in request.headers)
def internal() -> str:
    """Let some off."""
    return "ok"


@app.get("/plan")
@limiter.limit(lambda: {"free": "1/day", "pro": "3/day"}.get(request.headers["x-plan"]))
def plan() -> str:
    """Have the limits of a plan."""
    return "ok"


@app.get("/pages")
@limiter.limit("10/day", cost=lambda: int(request.args["pages"]))
def pages() -> str:
    """Cost what is asked for."""
    return "ok"


def has_failed(response: Response) -> bool:
    """Tell whether to charge for it."""
    return response.status_code >= 400


@app.get("/failures")
@limiter.limit("2/day", charge_when=has_failed)
def failures() -> tuple[str, int]:
    """Be charged for failures only."""
    return "", int(request.args["status"])


# --- keys


def user_or_ip() -> str:
    """Return who is counted."""
    return f"user={g.user}" if g.user else f"ip={limiter.current.view.peer}"


@app.get("/user")
@limiter.limit("2/day", key=user_or_ip)
def by_user() -> str:
    """Count users."""
    return str(g.user)


@app.post("/session")
@limiter.exempt
def log_in() -> str:
    """Keep a user in the session."""
    session["user"] = request.form["user"]
    return "ok"


def username() -> str:
    """Return a field of the form."""
    return request.form["username"].lower()


@app.post("/login")
@limiter.limit("2/day", key=username)
def login() -> str:
    """Count names that are tried."""
    return request.form["username"]


@app.get("/two-keys")
@limiter.limit("4/day")
@limiter.limit("2/day", key=header("x-api-key"))
def two_keys() -> str:
    """Count addresses and API keys."""
    return "ok"


# --- responses


@app.get("/current")
@limiter.limit("3/day")
def current() -> str:
    """Show what is left in a template."""
    left = "{{ limits.remaining }} of {{ limits.limit }}"
    return render_template_string(left, limits=limiter.current)


@app.route("/spent/<address>", methods=["GET", "DELETE"])
@limiter.exempt
def spent(address: str) -> dict[str, int]:
    """Show what a client has spent of a shared limit, or make it whole again."""
    if request.method == "DELETE":
        return limiter.reset_blocking(address, scope="database")
    return limiter.peek_blocking(address, scope="database")


# --- classes and blueprints


class Things(MethodView):
    """Has limits by Flask's own way of decorating classes."""

    decorators = [limiter.limit("2/day", per_method=True)]  # noqa: RUF012 - as Flask has it

    def get(self) -> str:
        """Count for itself."""
        return "got"

    def post(self) -> str:
        """Count for itself."""
        return "posted"


@limiter.limit("2/day")
class Whole(View):
    """Has a limit on the class."""

    def dispatch_request(self) -> str:
        """Answer."""
        return "ok"


app.add_url_rule("/things", view_func=Things.as_view("things"))
app.add_url_rule("/whole", view_func=Whole.as_view("whole"))

outer, inner, health = (Blueprint(name, __name__) for name in ("outer", "inner", "health"))
limiter.limit("2/day")(outer)
limiter.shared_limit("3/day", scope="inner")(inner)
limiter.exempt(health)
outer.add_url_rule("/a", "a", alive)
outer.add_url_rule("/b", "b", alive)
inner.add_url_rule("/a", "a", alive)
inner.add_url_rule("/b", "b", alive)
health.add_url_rule("/live", "live", alive)
outer.register_blueprint(inner, url_prefix="/inner")
app.register_blueprint(outer, url_prefix="/outer")
app.register_blueprint(health, url_prefix="/health")
