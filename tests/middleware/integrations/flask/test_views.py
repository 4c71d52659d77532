"""Limits of views in Flask: whatever kind of view it is, and wherever the decorator stands."""

import gc
from typing import Any

import pytest
from flask import Flask
from flask.views import MethodView, View
from werkzeug.routing import Rule

from sidegate import Limiter
from sidegate.integrations.werkzeug import Routes
from sidegate.testing import Memory
from tests.middleware.integrations.flask.asking import ask, spent, statuses


def ok(**_: object) -> str:
    return "ok"


def new_app(limiter: Limiter) -> Flask:
    app = Flask("shop")
    limiter.init_app(app)
    return app


def test_a_decorator_stands_above_or_below_the_route(sidegate: Memory) -> None:
    """And the view stays a function that anybody may call."""
    limiter = Limiter(service="s")
    app = new_app(limiter)

    @app.get("/below")
    @limiter.limit("2/minute")
    def below() -> str:
        return "below"

    @limiter.limit("2/minute")
    @app.get("/above")
    def above() -> str:
        return "above"

    assert statuses(app, "/below", 3) == [200, 200, 429]
    assert statuses(app, "/above", 3) == [200, 200, 429]
    assert (below(), above()) == ("below", "above")
    assert spent(sidegate) == {"s/shop.below:127.0.0.1": 2, "s/shop.above:127.0.0.1": 2}


@pytest.mark.usefixtures("sidegate")
def test_an_async_view() -> None:
    limiter = Limiter()
    app = new_app(limiter)

    @app.get("/")
    @limiter.limit("2/minute")
    async def view() -> dict[str, Any]:
        return {"left": limiter.current.remaining}

    answers = ask(app, "/", 3)
    assert [it.status_code for it in answers] == [200, 200, 429]
    assert [it.json["left"] for it in answers[:2] if it.json] == [1, 0]


def test_limits_of_a_class_are_of_its_views(sidegate: Memory) -> None:
    """By `decorators`, or on the class; each endpoint that is made of it counts for itself."""
    limiter = Limiter()
    app = new_app(limiter)

    class Decorated(View):
        decorators = [limiter.limit("1/minute")]  # noqa: RUF012 - as Flask documents it

        def dispatch_request(self) -> str:
            return "ok"

    @limiter.limit("1/minute")
    class Whole(MethodView):
        def get(self) -> str:
            return "got"

        def post(self) -> str:
            return "posted"

    class Inheriting(Whole):
        pass

    class Dispatching(View):
        @limiter.limit("1/minute")
        def dispatch_request(self) -> str:
            return "ok"

    kinds: list[type[View]] = [Decorated, Whole, Inheriting, Dispatching]
    for kind in kinds:
        app.add_url_rule(f"/{kind.__name__}", view_func=kind.as_view(kind.__name__))
    for kind in kinds:
        assert statuses(app, f"/{kind.__name__}", 2) == [200, 429]
    assert statuses(app, "/Whole", 1, "POST") == [429]
    assert len(sidegate.keys()) == 4


def test_limits_of_methods_of_a_class_count_apart(sidegate: Memory) -> None:
    """GET spends nothing of POST's limit, though both are the same text; HEAD is GET."""
    limiter = Limiter()
    app = new_app(limiter)

    class Things(MethodView):
        @limiter.limit("2/minute")
        def get(self) -> str:
            return "got"

        @limiter.limit("2/minute")
        def post(self) -> str:
            return "posted"

        @limiter.shared_limit("5/minute", "writes")
        def put(self) -> str:
            return "put"

        def delete(self) -> str:
            return "deleted"

    app.add_url_rule("/things", view_func=Things.as_view("things"))
    assert statuses(app, "/things", 1, "HEAD") == [200]
    assert statuses(app, "/things", 2) == [200, 429]
    assert statuses(app, "/things", 3, "POST") == [200, 200, 429]
    assert statuses(app, "/things", 1, "PUT") == [200]
    assert statuses(app, "/things", 5, "DELETE") == [200] * 5
    assert spent(sidegate) == {
        "shop.things GET:127.0.0.1": 2,
        "shop.things POST:127.0.0.1": 2,
        "writes:127.0.0.1": 1,
    }


@pytest.mark.usefixtures("sidegate")
def test_a_view_that_is_there_already() -> None:
    limiter = Limiter()
    app = new_app(limiter)
    app.add_url_rule("/", "index", lambda: "ok")
    app.view_functions["index"] = limiter.limit("1/minute")(app.view_functions["index"])
    assert statuses(app, "/", 2) == [200, 429]


@pytest.mark.usefixtures("sidegate")
def test_an_exempt_view_is_never_limited() -> None:
    limiter = Limiter("1/minute", default_limits="1/minute")
    app = new_app(limiter)
    app.get("/ping")(limiter.exempt(ok))
    assert statuses(app, "/ping", 3) == [200] * 3
    assert "ratelimit" not in ask(app, "/ping")[0].headers
    assert statuses(app, "/ping", 2, "OPTIONS") == [200] * 2


def test_default_limits_are_of_each_view_that_has_none(sidegate: Memory) -> None:
    limiter = Limiter(default_limits="2/minute")
    app = new_app(limiter)
    app.add_url_rule("/a", "a", ok)
    app.add_url_rule("/b", "b", ok)
    app.add_url_rule("/own", "own", limiter.limit("3/minute")(lambda: "ok"))
    both = limiter.limit("3/minute", override_defaults=False)(lambda: "ok")
    app.add_url_rule("/both", "both", both)
    asked = {path: statuses(app, path, 4).count(200) for path in ("/a", "/b", "/own", "/both")}
    assert asked == {"/a": 2, "/b": 2, "/own": 3, "/both": 2}
    assert "shop.a:127.0.0.1" in spent(sidegate)


def test_static_files_have_the_limits_of_the_application_only(
    tmp_path: Any, sidegate: Memory
) -> None:
    """Those that Flask serves itself; a view of the app's that is called static is a view."""
    (tmp_path / "logo.txt").write_text("logo")
    limiter = Limiter("4/minute", default_limits="1/minute")
    app = Flask("shop", static_folder=tmp_path, static_url_path="/static")
    limiter.init_app(app)
    assert statuses(app, "/static/logo.txt", 5) == [200] * 4 + [429]
    assert sidegate.keys() == ["default:127.0.0.1"]
    sidegate.reset()
    own = Flask("own", static_folder=None)
    limiter.init_app(own)
    own.add_url_rule("/files", "static", ok)
    assert statuses(own, "/files", 2) == [200, 429]


def test_what_comes_to_no_view_has_the_limits_of_the_application(sidegate: Memory) -> None:
    """A path that isn't found, a method that isn't allowed, a redirect, Flask's own OPTIONS."""
    limiter = Limiter("5/minute", default_limits="1/minute")
    app = new_app(limiter)
    app.add_url_rule("/view/", "view", ok)
    assert statuses(app, "/nowhere") == [404]
    assert statuses(app, "/view/", 1, "POST") == [405]
    assert statuses(app, "/view") == [308]
    assert statuses(app, "/view/", 1, "OPTIONS") == [200]
    assert spent(sidegate) == {"default:127.0.0.1": 4}
    assert statuses(app, "/nowhere", 2) == [404, 429]
    assert statuses(app, "/view/") == [429]
    assert spent(sidegate) == {"default:127.0.0.1": 5}


def test_a_view_of_options_is_a_view(sidegate: Memory) -> None:
    limiter = Limiter(default_limits="1/minute")
    app = new_app(limiter)
    app.add_url_rule("/", "view", ok, methods=["OPTIONS"])
    assert statuses(app, "/", 2, "OPTIONS") == [200, 429]
    preflight = {"origin": "https://a.example", "access-control-request-method": "GET"}
    assert statuses(app, "/", 1, "OPTIONS", headers=preflight) == [200]
    assert spent(sidegate) == {"shop.view:127.0.0.1": 1}


async def nobody(_: object) -> bool:
    return False


@pytest.mark.usefixtures("sidegate")
def test_a_condition_that_nobody_can_await_lets_nobody_off() -> None:
    """A coroutine is true, so as a condition it would let each request off."""
    limiter = Limiter(on_key_error="closed")
    app = new_app(limiter)
    app.add_url_rule(
        "/", view_func=limiter.limit("2/minute", exempt_when=nobody)(ok), endpoint="ok"
    )
    assert statuses(app, "/", 2) == [503, 503]


@pytest.mark.usefixtures("sidegate")
def test_a_filter_that_nobody_can_await_filters_nothing() -> None:
    limiter = Limiter(default_limits="2/minute")
    app = new_app(limiter)
    limiter.request_filter(nobody)
    app.add_url_rule("/", view_func=lambda: "ok", endpoint="ok")
    assert statuses(app, "/", 3) == [200, 200, 429]


@pytest.mark.usefixtures("sidegate")
def test_methods_that_clients_make_up_are_counted_as_one_and_not_kept() -> None:
    """A route of Werkzeug's own takes any method, and each would be memory for good."""
    limiter = Limiter(default_limits="3/minute")
    app = new_app(limiter)
    app.url_map.add(Rule("/", endpoint="ok"))
    app.view_functions["ok"] = ok
    made_up = [statuses(app, "/", method=f"MADE{at}")[0] for at in range(5)]
    assert made_up == [200, 200, 200, 429, 429]
    kept = [each for each in gc.get_objects() if type(each) is Routes]
    assert [len(routes._known) for routes in kept if routes._app is app] == [0]
