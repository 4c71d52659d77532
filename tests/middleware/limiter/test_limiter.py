"""Limiter and options: a mistake in code is an error where it is written."""

import re
from functools import partial
from typing import Any

import pytest
from flask import Flask
from starlette.applications import Starlette

from sidegate import (
    BlockingClient,
    Limiter,
    RateLimitMiddleware,
    RateLimitWSGIMiddleware,
    Rule,
    basic_user,
    bearer,
    header,
)
from sidegate.http.request.request import Request
from sidegate.middleware_options import Options, service_name
from tests.support.middleware.asgi_app import App, http, status
from tests.support.middleware.checker import Checker


def complaint(make: Any, **options: Any) -> str:
    """Return what is said about options, "" if they are taken."""
    try:
        make(**options)
    except ValueError as error:
        return str(error)
    return ""


RULE = Rule("api", "100/minute")
OPTIONS = {*Options.__annotations__} - {"client", "sidecar", "secret", "tls"}
EVERYTHING: list[Any] = [None, 7, True, 1.5, b"x", "x", [], {}, object()]


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"limits": "5/minuet"}, "limits='5/minuet': limit \"5/minuet\": unknown unit"),
        ({"limits": 100}, "limits=100: expected a text such as '100/minute', or a list of them"),
        ({"limits": b"1/s"}, "limits=b'1/s': expected a text"),
        ({"limits": ["1/s", 7]}, "limits=['1/s', 7]: expected a text"),
        ({"limits": []}, "limits=[]: limit"),
        ({"limits": divmod}, "expected a function of the request"),
        ({"default_limits": "1/parsec"}, "default_limits='1/parsec': limit"),
        ({"default_limits_per_method": 1}, "default_limits_per_method=1: expected True or False"),
        ({"default_limits": "2/s", "default_limits_cost": 3}, "default_limits_cost=3: expected"),
        ({"default_limits_cost": 3}, "default_limits_cost=3: belongs to default_limits="),
        (
            {"default_limits": "2/s", "default_limits_exempt_when": "admin"},
            "default_limits_exempt_when='admin': expected a function",
        ),
        (
            {"default_limits": "2/s", "default_limits_charge_when": True},
            "default_limits_charge_when=True: expected a plain function of the response",
        ),
        ({"limits": "1/s", "rules": [RULE]}, "limits='1/s', rules=[Rule("),
        ({"limits": "1/s", "key": "ip"}, "key='ip'"),
        ({"limits": "1/s", "cost": 2}, "cost=2"),
        ({"rules": [RULE], "key": header("a")}, "key=header('a'"),
        ({"rules": [RULE], "cost": 2}, "cost=2"),
        ({"rules": []}, "rules=[]: expected at least one Rule"),
        ({"rules": "login"}, "rules='login'"),
        ({"rules": ["login"]}, "rules: 'login'"),
        ({"rules": [RULE, Rule("api", "1/s")]}, "rules: two of them are named 'api'"),
        ({"rules": 7}, "rules=7: must be a list"),
        ({"rules": [Rule("a", "1/s"), Rule("b", "1/s", path="/b")]}, "Rule('b', '1/second'"),
        ({"rules": [Rule("a", "1/s", path="/a/b")], "exempt": ["/a/*"]}, "are exempt"),
        ({"limits": "1/s", "exempt": "/healthz"}, "exempt='/healthz'"),
        ({"limits": "1/s", "exempt": ["healthz"]}, "exempt='healthz'"),
        ({"limits": "1/s", "exempt": ["/{id}"]}, "exempt='/{id}' can never match"),
        ({"limits": "1/s", "service": "a/b"}, "service='a/b': expected 1 to 64 printable"),
        ({"limits": "1/s", "headers": "draft-10"}, "headers='draft-10': expected one of draft"),
        ({"limits": "1/s", "on_key_error": "local"}, "on_key_error='local': expected one of open"),
        ({"limits": "1/s", "on_denied": "text"}, "on_denied='text': expected a plain function"),
        ({"limits": "1/s", "key_timeout": 0}, "key_timeout=0: expected seconds"),
        ({"limits": "1/s", "on_unreachable": "shut"}, "on_unreachable='shut'"),
        ({"limits": "1/s", "budget": 0}, "budget=0"),
        ({"limits": "1/s", "trusted_proxies": -1}, "trusted_proxies=-1"),
        ({"limits": "1/s", "sidecar": "localhost"}, "localhost"),
        ({"limits": "1/s", "client": Checker(), "sidecar": "h:1"}, "sidecar= given with client="),
        ({"limits": "1/s", "client": Checker(), "secret": "x"}, "secret= given with client="),
    ],
)
def test_a_mistake_is_an_error_at_once(options: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=re.escape(named)):
        Limiter(**options)


@pytest.mark.parametrize("option", sorted(OPTIONS))
def test_any_value_is_taken_or_named(option: str) -> None:
    """Whatever it is, the error is a ValueError that names the option."""
    for value in EVERYTHING:
        given = {} if option in {"limits", "rules"} else {"limits": "10/s"}
        said = complaint(Limiter, **given | {option: value})
        assert not said or option in said, value
        assert len(said) < 400


@pytest.mark.parametrize("option", ["name", "limits", "path", "methods", "key", "cost", "shadow"])
def test_any_value_of_a_rule_is_taken_or_named(option: str) -> None:
    for value in EVERYTHING:
        given: dict[str, Any] = {"name": "r", "limits": "10/s"} | {option: value}
        said = complaint(Rule, **given)
        assert not said or option in said, value


@pytest.mark.parametrize(
    "methods", [["*"], ["ALL"], ["any"], [b"GET"], [7], "GET", [], ["GET,PUT"]]
)
def test_methods_that_never_come_are_refused(methods: Any) -> None:
    with pytest.raises(ValueError, match="methods"):
        Rule("r", "1/s", methods=methods)


def test_an_option_that_there_is_not_is_named_with_the_one_it_may_be() -> None:
    with pytest.raises(TypeError, match=r"on_unreachble is no option.*did you mean on_unreachable"):
        Limiter("1/s", on_unreachble="open")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


def test_a_list_of_limits_is_decided_together() -> None:
    assert Rule("r", ["200/day", "50/hour"]).limits.text == "200/day; 50/hour"


async def test_starlette_takes_it_as_a_middleware() -> None:
    app = Starlette()
    limiter = Limiter("1/hour", client=Checker(), exempt=iter(["/healthz"]))
    app.add_middleware(limiter.asgi)
    limited = limiter.asgi(App())
    assert [await status(limited, http()) for _ in range(2)] == [200, 429]
    assert await status(limited, http("/healthz")) == 200


def test_flask_takes_it_around_its_wsgi_app() -> None:
    app = Flask("app")
    assert callable(Limiter("1/hour").wsgi(app.wsgi_app))


def test_a_key_that_fails_is_told_to_the_client_that_tells_the_sidecar() -> None:
    app: Any = Flask("app").wsgi_app
    asgi = RateLimitMiddleware(App(), limits="1/hour")
    assert asgi._own is not None
    assert asgi._limiter.count == asgi._own.count
    wsgi = RateLimitWSGIMiddleware(app, limits="1/hour")
    assert isinstance(wsgi._client, BlockingClient)
    assert wsgi._limiter.count == wsgi._client.count


@pytest.mark.parametrize(
    ("options", "named"),
    [({"sidecar": "nowhere"}, "nowhere"), ({"on_unreachable": "shut"}, "shut")],
)
def test_each_middleware_finds_a_wrong_option_before_the_first_request(
    options: dict[str, Any], named: str
) -> None:
    app: Any = Flask("app").wsgi_app
    for make in (partial(RateLimitMiddleware, App()), partial(RateLimitWSGIMiddleware, app)):
        with pytest.raises(ValueError, match=named):
            make(limits="1/minute", **options)


async def a_view(request: Request) -> None:
    """Is neither."""


@pytest.mark.parametrize("app", [Flask("app"), Flask("app").wsgi_app, 7, None])
def test_a_wsgi_app_is_no_asgi_app(app: Any) -> None:
    with pytest.raises(ValueError, match=r"app=.*expected an"):
        RateLimitMiddleware(app, limits="1/s")


@pytest.mark.parametrize("app", [Starlette(), App(), a_view, 7, None])
def test_an_asgi_app_is_no_wsgi_app(app: Any) -> None:
    with pytest.raises(ValueError, match=r"app=.*expected an?"):
        RateLimitWSGIMiddleware(app, limits="1/s")


@pytest.mark.parametrize("make", [bearer, basic_user, partial(header, "x")])
def test_an_identity_s_missing_is_an_identity(make: Any) -> None:
    with pytest.raises(ValueError, match="missing='ip'"):
        make(missing="ip")


def test_a_cookie_field_is_no_identity() -> None:
    with pytest.raises(ValueError, match="name='cookie': each cookie"):
        header("Cookie")


def test_normalize_is_a_function() -> None:
    with pytest.raises(ValueError, match="normalize='lower'"):
        header("x-api-key", normalize="lower")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


class TestService:
    def test_the_environment_names_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SIDEGATE_SERVICE", "shop")
        assert service_name(None) == "shop"
        assert service_name("cart") == "cart"

    @pytest.mark.parametrize("name", ["a b", "a:b", "a/b", "é", "x" * 65])
    def test_a_wrong_variable_is_logged_and_not_used(
        self, name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setenv("SIDEGATE_SERVICE", name)
        assert service_name(None) == ""
        (said,) = caplog.records
        assert said.levelname == "ERROR"
        assert "SIDEGATE_SERVICE=" in said.getMessage()
        assert "it is not used" in said.getMessage()
