"""Limits of blueprints in Flask: of each of their views, but what is closer to a view counts."""

import pytest
from flask import Blueprint, Flask

from sidegate import Limiter
from sidegate.testing import Memory
from tests.middleware.integrations.flask.asking import spent, statuses

LIMITER = Limiter("100/minute", default_limits="9/minute")


def ok() -> str:
    return "ok"


def app_with(*blueprints: Blueprint, limiter: Limiter = LIMITER) -> Flask:
    app = Flask("shop")
    limiter.init_app(app)
    for blueprint in blueprints:
        app.register_blueprint(blueprint, url_prefix=f"/{blueprint.name}")
    return app


def blueprint(name: str, *endpoints: str) -> Blueprint:
    made = Blueprint(name, "shop")
    for endpoint in endpoints:
        made.add_url_rule(f"/{endpoint}", endpoint, lambda: "ok")
    return made


def passed(app: Flask, path: str) -> int:
    """Return how many of eleven requests pass."""
    return statuses(app, path, 11).count(200)


def test_a_limit_of_a_blueprint_is_of_each_view_for_itself(sidegate: Memory) -> None:
    """Also when the blueprint has been registered before."""
    api, other = blueprint("api", "a", "b"), blueprint("other", "c")
    app = app_with(api, other)
    LIMITER.limit("2/minute")(api)
    assert {path: passed(app, path) for path in ("/api/a", "/api/b", "/other/c")} == {
        "/api/a": 2,
        "/api/b": 2,
        "/other/c": 9,
    }
    assert spent(sidegate)["shop.api.a:127.0.0.1"] == 2


def test_a_shared_limit_is_of_the_blueprint_as_a_whole(sidegate: Memory) -> None:
    api = blueprint("api", "a", "b")
    LIMITER.shared_limit("3/minute", "api")(api)
    app = app_with(api)
    assert statuses(app, "/api/a", 2) + statuses(app, "/api/b", 2) == [200, 200, 200, 429]
    assert spent(sidegate) == {"default:127.0.0.1": 3, "api:127.0.0.1": 3}


@pytest.mark.usefixtures("sidegate")
def test_the_limit_that_is_closest_to_the_view_counts() -> None:
    """That of the view, else of its blueprint, else of the one around that, else the default."""
    outer, inner, plain = blueprint("outer", "a"), blueprint("inner", "b"), blueprint("plain", "d")
    LIMITER.limit("3/minute")(outer)
    LIMITER.limit("2/minute")(inner)
    inner.add_url_rule("/own", "own", LIMITER.limit("5/minute")(lambda: "ok"))
    both = LIMITER.limit("5/minute", override_defaults=False)(lambda: "ok")
    inner.add_url_rule("/both", "both", both)
    posts = LIMITER.limit("1/minute", methods=["POST"])(lambda: "ok")
    inner.add_url_rule("/posts", "posts", posts, methods=["GET", "POST"])
    outer.register_blueprint(inner, url_prefix="/inner")
    outer.register_blueprint(plain, url_prefix="/plain")
    app = app_with(outer)
    assert {path: passed(app, f"/outer/{path}") for path in OUTER} == OUTER


OUTER = {"a": 3, "inner/b": 2, "inner/own": 5, "inner/both": 2, "inner/posts": 2, "plain/d": 3}


@pytest.mark.usefixtures("sidegate")
def test_an_exempt_blueprint_and_what_lies_in_it() -> None:
    """But a view, or a blueprint in it, that has limits of its own is limited."""
    outer, inner = blueprint("outer", "a"), blueprint("inner", "b")
    LIMITER.exempt(outer)
    outer.register_blueprint(inner, url_prefix="/inner")
    limited = blueprint("limited", "c")
    LIMITER.limit("2/minute")(limited)
    outer.register_blueprint(limited, url_prefix="/limited")
    outer.add_url_rule("/own", "own", LIMITER.limit("1/minute")(lambda: "ok"))
    added = LIMITER.limit("2/minute", override_defaults=False)(lambda: "ok")
    outer.add_url_rule("/added", "added", added)
    app = app_with(outer)
    asked = {path: passed(app, f"/outer/{path}") for path in EXEMPT}
    assert asked == EXEMPT


EXEMPT = {"a": 11, "inner/b": 11, "limited/c": 2, "own": 1, "added": 2}


@pytest.mark.usefixtures("sidegate")
def test_an_exempt_view_of_a_limited_blueprint() -> None:
    api = blueprint("api")
    LIMITER.limit("1/minute")(api)
    api.add_url_rule("/ping", "ping", LIMITER.exempt(lambda: "ok"))
    assert passed(app_with(api), "/api/ping") == 11


def test_one_blueprint_under_two_names(sidegate: Memory) -> None:
    api = blueprint("api", "a")
    LIMITER.limit("1/minute")(api)
    app = app_with(api)
    app.register_blueprint(api, name="again", url_prefix="/again")
    assert statuses(app, "/api/a", 2) + statuses(app, "/again/a", 2) == [200, 429] * 2
    assert "shop.again.a:127.0.0.1" in spent(sidegate)


@pytest.mark.usefixtures("sidegate")
def test_an_endpoint_with_a_dot_in_an_app_without_such_a_blueprint() -> None:
    app = app_with()
    app.add_url_rule("/", "no.blueprint", ok)
    assert passed(app, "/") == 9


def test_static_files_of_a_limited_blueprint(
    tmp_path_factory: pytest.TempPathFactory, sidegate: Memory
) -> None:
    folder = tmp_path_factory.mktemp("static")
    (folder / "logo.txt").write_text("logo")
    api = Blueprint("api", "shop", static_folder=folder, static_url_path="/static")
    LIMITER.limit("1/minute")(api)
    assert passed(app_with(api), "/api/static/logo.txt") == 11
    assert sidegate.keys() == ["default:127.0.0.1"]
