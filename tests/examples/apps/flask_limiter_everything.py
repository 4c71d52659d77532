"""Flask-Limiter's large example: default limits that depend, breaches, classes and blueprints."""

from typing import Any

from flask import Blueprint, Flask, Response, jsonify, render_template_string, request
from flask.views import View

from sidegate import Decision, Limiter, RateLimitExceeded


def default_limits() -> list[str]:
    """Give strangers fewer."""
    return ["4/hour", "100/day"] if "x-evil" in request.headers else ["6/hour", "100/day"]


def default_cost() -> int:
    """Have strangers pay more."""
    return 2 if "x-evil" in request.headers else 1


def is_internal() -> bool:
    """Let some off."""
    return "x-internal" in request.headers


def is_ok(response: Response) -> bool:
    """Charge for what was served."""
    return response.status_code == 200


limiter = Limiter(
    "50/hour",
    default_limits=default_limits,
    default_limits_exempt_when=is_internal,
    default_limits_charge_when=is_ok,
    default_limits_cost=default_cost,
    meta_limits="2/day",
    headers="both",
    service="flask-limiter-everything",
    trusted_proxies=1,
)
app = Flask(__name__)
limiter.init_app(app)


@app.errorhandler(429)
def refused(error: RateLimitExceeded) -> Any:
    """Answer what the limit says, and that it was here."""
    response: Any = error
    answer = response.get_response()
    answer.headers["x-handled"] = "yes"
    return answer


def page(_: object, decision: Decision) -> tuple[str, int, dict[str, str]]:
    """Render a page."""
    text = render_template_string("<h1>{{ limit }}</h1>", limit=decision.limits.text)
    return text, 429, {"content-type": "text/html"}


@app.route("/")
@limiter.limit("3/hour", on_denied=page)
def root() -> str:
    """Have a limit, and a page for who is refused."""
    return "ok"


@app.route("/default")
def default() -> tuple[str, int]:
    """Have the default limits, and the status that is asked for."""
    return "", int(request.args.get("status", "200"))


@app.route("/version")
@limiter.exempt
def version() -> str:
    """Have none."""
    return "1"


health = Blueprint("health", __name__, url_prefix="/health")
health.add_url_rule("/", "health", version)
limiter.exempt(health)
app.register_blueprint(health)


def as_json(_: object, decision: Decision) -> dict[str, str]:
    """Answer in JSON."""
    return {"limit": decision.limits.text}


class Resource(View):
    """Counts each method for itself."""

    methods = ["GET", "POST"]  # noqa: RUF012 - as Flask has it
    decorators = [limiter.limit("2/hour", per_method=True, on_denied=as_json)]  # noqa: RUF012

    def dispatch_request(self) -> Response:
        """Answer."""
        return jsonify(request.method)


app.add_url_rule("/resource", view_func=Resource.as_view("resource"))
