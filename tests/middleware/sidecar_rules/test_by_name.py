"""Limits of routes by the name of a rule: `@limiter.limit("@login")`."""

from typing import Any

import pytest
from fastapi import Depends, FastAPI, Request
from fastapi.testclient import TestClient
from flask import Flask

from sidegate import Limiter, header
from sidegate.ruleset.ruleset import RuleSet
from tests.middleware.ruleset.asked import rules
from tests.middleware.sidecar_rules.ruled import LOGIN, RuledBlockingChecker, RuledChecker

TWICE = {**LOGIN, "match": {"path": "/elsewhere"}}
WHO = header("x-user")
Log = pytest.LogCaptureFixture


class Routes:
    """An app with a route whose limit is a rule by its name."""

    def __init__(self, found: RuleSet | None, *, own: dict[str, Any], **options: Any) -> None:
        self.checker: Any = RuledChecker(found)
        self.limiter = Limiter(client=self.checker, **options)
        app = FastAPI()

        @app.get("/login")
        @self.limiter.limit("@login", key=WHO, **own)
        async def login() -> str:
            return "in"

        app.add_middleware(self.limiter.asgi)
        self.client = TestClient(app)

    def ask(self, count: int, user: str = "ann", method: str = "GET") -> list[int]:
        headers = {"x-user": user}
        return [
            self.client.request(method, "/login", headers=headers).status_code for _ in range(count)
        ]


def test_a_route_has_the_limits_of_the_rule_whatever_that_matches() -> None:
    routes = Routes(rules(TWICE), own={})
    assert routes.ask(3) == [200, 200, 429]
    assert routes.ask(1, "bob") == [200]
    assert {key for key, _, _ in routes.checker.asked} == {"login:x-user=ann", "login:x-user=bob"}
    answer = routes.client.get("/login", headers={"x-user": "eve"})
    assert answer.headers["ratelimit-policy"] == '"login";q=2;w=60'


def test_its_cost_and_mode_are_those_of_the_rule() -> None:
    routes = Routes(rules({**TWICE, "cost": 2, "mode": "shadow"}), own={})
    assert routes.ask(3) == [200] * 3
    assert routes.checker.asked[0] == ("login:x-user=ann", "2/minute", 2)
    answer = routes.client.get("/login", headers={"x-user": "ann"})
    assert answer.headers["sidegate-shadow"] == "denied"


def test_a_change_holds_from_the_next_request_on() -> None:
    routes = Routes(rules(TWICE), own={})
    assert routes.ask(1) == [200]
    routes.checker.found = rules({**TWICE, "limits": "9/minute"})
    assert routes.ask(5) == [200] * 4 + [429]
    assert routes.checker.asked[-1][1] == "9/minute"


@pytest.mark.parametrize("found", [None, rules({})])
def test_without_the_rule_nobody_is_limited_and_the_log_says_so_once(
    found: RuleSet | None, caplog: Log
) -> None:
    routes = Routes(found, own={})
    assert routes.ask(3) == [200] * 3
    assert routes.checker.asked == []
    (line,) = [it for it in caplog.messages if "rule 'login' of the sidecar" in it]
    assert line.endswith("; what names it isn't limited")
    routes.checker.found = rules(TWICE)
    assert routes.ask(3) == [200, 200, 429]
    routes.checker.found = found
    routes.ask(1)
    assert len([it for it in caplog.messages if "rule 'login' of the sidecar" in it]) == 2


def test_without_the_rule_its_default_applies_and_the_log_says_so(caplog: Log) -> None:
    routes = Routes(None, own={"default": "1/minute"}, service="shop")
    assert routes.ask(2) == [200, 429]
    (line,) = [it for it in caplog.messages if "rule 'login' of the sidecar" in it]
    assert line.endswith("; what names it has its default, 1/minute")


def test_a_request_under_the_rule_and_its_name_pays_once_where_it_counts_alike() -> None:
    alike = {**LOGIN, "key": "header:x-user"}
    routes = Routes(rules(alike), own={}, rules="sidecar", default="allow")
    assert routes.ask(3) == [200, 200, 429]
    assert {it for it, _, _ in routes.checker.asked} == {"login:x-user=ann"}


def test_conditions_methods_and_keys_of_the_route_are_asked() -> None:
    def is_root(request: Request) -> bool:
        return request.headers["x-user"] == "root"

    routes = Routes(rules({**TWICE, "limits": "0/minute"}), own={"exempt_when": is_root})
    assert routes.ask(1, "root") == [200]
    assert routes.ask(1) == [429]
    others = Routes(rules({**TWICE, "limits": "0/minute"}), own={"methods": ["POST"]})
    assert others.ask(1) == [200]


def test_a_key_that_fails_is_answered_by_policy(caplog: Log) -> None:
    checker: Any = RuledChecker(rules(TWICE))
    limiter = Limiter(client=checker, on_key_error="closed")
    app = FastAPI()

    def broken(request: Request) -> str:
        raise LookupError(str(request.url))

    @app.get("/login")
    @limiter.limit("@login", key=broken)
    async def login() -> str:
        return "in"

    app.add_middleware(limiter.asgi)
    assert TestClient(app).get("/login").status_code == 503
    assert [it for it in caplog.messages if it.startswith("rule 'login'")]


def test_a_dependency_and_default_limits_may_name_a_rule() -> None:
    checker: Any = RuledChecker(rules(TWICE))
    limiter = Limiter(client=checker)
    app = FastAPI()

    @app.get("/a", dependencies=[Depends(limiter.dep("@login"))])
    async def a() -> str:
        return "a"

    app.add_middleware(limiter.asgi)
    client = TestClient(app)
    assert [client.get("/a").status_code for _ in range(3)] == [200, 200, 429]
    every = Limiter(client=RuledChecker(rules(TWICE)), default_limits="@login")
    assert every._core.enforcer.defaults[0].rule_name


def test_a_view_of_flask_may_name_a_rule() -> None:
    app = Flask(__name__)
    checker: Any = RuledBlockingChecker(rules(TWICE))
    limiter = Limiter(client=checker)
    limiter.init_app(app)

    @app.get("/login")
    @limiter.limit("@login", key=WHO)
    def login() -> str:
        return "in"

    asking = app.test_client()
    found = [asking.get("/login", headers={"x-user": "ann"}).status_code for _ in range(3)]
    assert (login(), found) == ("in", [200, 200, 429])


@pytest.mark.parametrize(
    ("limits", "options", "why"),
    [
        ("@login", {"cost": 2}, "cost=2: the rule '@login' says that itself"),
        ("@login", {"scope": "s"}, "scope='s': the rule '@login' says that itself"),
        ("@login", {"per_method": True}, "per_method=True: the rule '@login' says that itself"),
        ("@login", {"default": "5/minut"}, "default='5/minut': "),
        ("@", {}, "limits='@': expected @ and a rule's name"),
        ("@a/b", {}, "limits='@a/b': expected @ and a rule's name"),
        ("5/minute", {"default": "5/minute"}, "default='5/minute': belongs to limits='@NAME'"),
        (["@login", "5/minute"], {}, "limits=.*@login"),
    ],
)
def test_what_contradicts_a_name_is_an_error_at_once(
    limits: Any, options: dict[str, Any], why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        Limiter().limit(limits, **options)


def test_the_application_has_limits_of_its_own() -> None:
    with pytest.raises(ValueError, match="limits='@login': a rule by its name is for routes"):
        Limiter("@login")
