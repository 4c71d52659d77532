"""Requests in Flask: whose they are, how they are spelled, and what lives as long as they do."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import (
    Flask,
    Request,
    Response,
    abort,
    copy_current_request_context,
    g,
    render_template_string,
    request,
    session,
    stream_with_context,
)
from werkzeug.middleware.proxy_fix import ProxyFix

from sidegate import Limiter, bearer
from sidegate.testing import Memory
from tests.middleware.integrations.flask.asking import ask, spent, statuses


def new_app(limiter: Limiter, name: str = "shop") -> Flask:
    app = Flask(name, static_folder=None)
    app.secret_key = "secret"
    limiter.init_app(app)
    return app


def read_user() -> str:
    return request.headers.get("x-user", "nobody")


x_user: Any = read_user


# --- spelling


def test_a_view_is_counted_once_however_it_is_asked_for(sidegate: Memory) -> None:
    """By another spelling, method or route of its own; a redirect to it costs nothing of it."""
    limiter = Limiter()
    app = new_app(limiter)

    @app.route("/items/<int:item>")
    @app.route("/x/<int:item>", endpoint="item")
    @limiter.limit("100/minute")
    def item(item: int) -> str:
        return str(item)

    for path in ("/items/1", "/items/2?a=b", "/items/%31", "/x/1", "/items/0001"):
        assert statuses(app, path) == [200]
    for method in ("HEAD", "get", "hEaD"):
        overrides = {"REQUEST_METHOD": method}
        assert statuses(app, "/items/1", environ_overrides=overrides) == [200]
    for path, status in (("//items/1", 200), ("///items/1", 200), ("/items//1", 308)):
        assert statuses(app, "/", environ_overrides={"PATH_INFO": path}) == [status]
    for path in ("/items/one", "/items/../items/1", "/Items/1", "/items/1/"):
        assert statuses(app, path) == [404]
    assert spent(sidegate) == {"shop.item:127.0.0.1": 10}


@pytest.mark.usefixtures("sidegate")
@pytest.mark.parametrize("path", ["/a", "/a/"])
def test_a_slash_at_the_end_is_no_way_around(path: str) -> None:
    limiter = Limiter()
    app = new_app(limiter)
    app.add_url_rule("/a", "a", limiter.limit("1/minute")(lambda: "ok"), strict_slashes=False)
    assert statuses(app, "/a", 1) + statuses(app, path, 1) == [200, 429]


# --- whose


def test_who_lies_about_the_address_is_counted_by_the_true_one(sidegate: Memory) -> None:
    """Unless the app trusts a proxy: by `trusted_proxies`, or by Werkzeug's ProxyFix."""
    plain = new_app(Limiter("9/minute"))
    trusting = new_app(Limiter("9/minute", trusted_proxies=1))
    fixed = new_app(Limiter("9/minute"))
    fixed.wsgi_app = ProxyFix(fixed.wsgi_app)  # type: ignore[method-assign]  # as Flask documents it
    for app, key in (
        (plain, "default:127.0.0.1"),
        (trusting, "default:192.0.2.1"),
        (fixed, "default:192.0.2.1"),
    ):
        ask(app, "/", headers={"x-forwarded-for": "203.0.113.7, 192.0.2.1"})
        assert sidegate.keys() == [key]
        sidegate.reset()


def test_keys_may_be_what_the_app_found_out(sidegate: Memory) -> None:
    """Functions without arguments ask Flask's own proxies, others get the request."""
    limiter = Limiter()
    app = new_app(limiter)

    @app.before_request
    def find_user() -> None:
        g.user = request.headers.get("x-user")

    def of_request(asked: Request) -> str:
        return asked.headers["x-user"]

    keys: list[Any] = [lambda: session.get("user"), lambda: g.user, of_request, bearer()]
    for at, key in enumerate(keys):
        app.add_url_rule(f"/{at}", f"view{at}", limiter.limit("5/minute", key=key)(lambda: "ok"))

    @app.post("/login")
    def login() -> str:
        session["user"] = "ada"
        return "ok"

    client = app.test_client()
    client.get("/0")
    client.post("/login")
    headers = {"x-user": "bob", "authorization": "Bearer token"}
    assert [client.get(f"/{at}", headers=headers).status_code for at in range(4)] == [200] * 4
    assert set(spent(sidegate)) == {
        "shop.view0:ada",
        "shop.view1:bob",
        "shop.view2:bob",
        next(key for key in spent(sidegate) if key.startswith("shop.view3:")),
    }


@pytest.mark.usefixtures("sidegate")
def test_limits_cost_and_conditions_of_the_request() -> None:

    def cost(asked: Request) -> int:
        return asked.args.get("n", 1, type=int)

    def view(path: str) -> str:
        return path

    limiter = Limiter(key=x_user)
    app = new_app(limiter)
    plans = {"paying": "9/minute", "free": "3/minute", "staff": None}
    limited = limiter.limit(
        lambda: plans[request.headers["x-plan"]],
        cost=cost,
        exempt_when=lambda: request.path.endswith("free"),
    )
    app.add_url_rule("/<path>", "view", limited(view))
    asked = {
        (plan, path): statuses(app, path, 4, headers={"x-plan": plan, "x-user": plan + path}).count(
            200
        )
        for plan in plans
        for path in ("a?n=1", "b?n=3", "free")
    }
    assert [asked["paying", "b?n=3"], asked["free", "a?n=1"], asked["free", "b?n=3"]] == [3, 3, 1]
    assert {asked["staff", "b?n=3"], asked["free", "free"], asked["paying", "a?n=1"]} == {4}


@pytest.mark.usefixtures("sidegate")
def test_a_request_filter_lets_off() -> None:
    limiter = Limiter("1/minute")
    app = new_app(limiter)

    @limiter.request_filter
    def is_health() -> bool:
        return request.path == "/healthz"

    app.add_url_rule("/healthz", "healthz", lambda: "ok")
    assert statuses(app, "/healthz", 3) == [200] * 3
    assert statuses(app, "/", 2) == [404, 429]


@pytest.mark.parametrize("option", ["key", "default_limits", "limits"])
def test_functions_of_the_whole_app_can_not_be_awaited(option: str) -> None:
    async def function() -> str:
        return "5/minute"

    options: dict[str, Any] = {"limits": "1/minute", option: function}
    with pytest.raises(ValueError, match="must be a plain function in WSGI"):
        Limiter(**options).init_app(Flask("shop"))


# --- how long


@pytest.mark.usefixtures("sidegate")
def test_an_app_is_set_up_once_and_a_limiter_for_many() -> None:
    limiter = Limiter("3/minute", default_limits="2/minute")
    apps = [new_app(limiter, name) for name in ("shop", "blog")]
    for app in apps:
        set_up = app.preprocess_request
        limiter.init_app(app)
        assert app.preprocess_request is set_up
        app.add_url_rule("/", "index", lambda: "ok")
    assert [statuses(app, "/", 2) for app in apps] == [[200, 200], [200, 429]]


def test_two_limiters_of_one_app(sidegate: Memory) -> None:
    """Both count, and both say so; what one refuses the other doesn't charge."""
    inner = Limiter("2/minute", service="inner")
    outer = Limiter(default_limits="5/minute", service="outer")
    app = new_app(inner)
    outer.init_app(app)

    @app.get("/")
    def index() -> list[int | None]:
        return [inner.current.remaining, outer.current.remaining]

    answers = ask(app, "/", 3)
    assert [it.json for it in answers[:2]] == [[1, 4], [0, 3]]
    assert answers[0].headers["ratelimit-policy"] == '"default";q=2;w=60'
    assert answers[0].headers.getlist("ratelimit-policy")[1] == '"index";q=5;w=60'
    assert answers[2].status_code == 429
    assert spent(sidegate) == {"inner/default:127.0.0.1": 2, "outer/shop.index:127.0.0.1": 2}


def test_what_the_app_answers_before_its_view_counts_for_the_view(sidegate: Memory) -> None:
    """A `before_request` function that answers, aborts or breaks is no way around a limit."""
    limiter = Limiter()
    app = new_app(limiter)
    app.add_url_rule("/", "index", limiter.limit("3/minute")(lambda: "ok"))

    @app.before_request
    def stop() -> str:
        if request.args["how"] == "abort":
            abort(401)
        if request.args["how"] == "raise":
            raise RuntimeError
        return "closed"

    hows = ("answer", "abort", "raise", "answer", "abort", "raise")
    answers = [statuses(app, f"/?how={how}")[0] for how in hows]
    assert answers == [200, 401, 500, 429, 429, 429]
    assert spent(sidegate) == {"shop.index:127.0.0.1": 3}


@pytest.mark.usefixtures("sidegate")
def test_nothing_is_left_of_a_request() -> None:
    """Neither after one that was answered, nor after one that broke or was refused."""
    limiter = Limiter("3/minute")
    app = new_app(limiter)

    @app.get("/<how>")
    def view(how: str) -> str:
        assert limiter.current.decisions
        if how == "break":
            raise RuntimeError
        return how

    for how in ("a", "break", "b", "refused"):
        ask(app, f"/{how}")
        assert limiter.current.decisions == ()
        assert limiter.current.request is None
    with app.test_request_context("/a"):
        assert limiter.current.decisions == ()
    with app.app_context():
        assert limiter.current.remaining is None


@pytest.mark.usefixtures("sidegate")
def test_decisions_live_as_long_as_the_request_does() -> None:
    """In templates, threads and streams of it, and in a client's block."""
    limiter = Limiter("9/minute")
    app = new_app(limiter)

    @app.get("/template")
    def template() -> str:
        return render_template_string("{{ current.remaining }}", current=limiter.current)

    @app.get("/thread")
    def thread() -> str:
        look = copy_current_request_context(lambda: str(limiter.current.remaining))
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(look).result()

    @app.get("/stream")
    def stream() -> Response:
        def pieces() -> Iterator[str]:
            yield str(limiter.current.remaining)

        return Response(stream_with_context(pieces()))

    assert [ask(app, path)[0].text for path in ("/template", "/thread", "/stream")] == list("876")
    with app.test_client() as client:
        client.get("/template")
        assert limiter.current.remaining == 5
    assert limiter.current.remaining is None


@pytest.mark.usefixtures("sidegate")
def test_what_is_tried_in_a_test_request_is_checked_as_a_request_is() -> None:
    limiter = Limiter("1/minute")
    app = new_app(limiter)
    with app.test_request_context("/", environ_base={"REMOTE_ADDR": "127.0.0.1"}):
        assert app.preprocess_request() is None
        assert limiter.current.remaining == 0
    assert statuses(app, "/") == [429]


def test_requests_at_once_are_apart(sidegate: Memory) -> None:
    limiter = Limiter("9/minute", key=x_user)
    app = new_app(limiter)
    app.add_url_rule("/", "view", lambda: str(limiter.current.request.headers["x-user"]))
    with ThreadPoolExecutor(8) as pool:
        users = [str(at % 20) for at in range(160)]
        asked = [pool.submit(ask, app, "/", headers={"x-user": user}) for user in users]
    assert [it.result()[0].text for it in asked] == users
    assert set(spent(sidegate).values()) == {8}
