"""The idioms of Flask-Limiter, in Flask on gunicorn: two workers share all limits."""

from collections.abc import Generator, Iterator

import pytest

from sidegate.testing import Memory
from tests.idioms.apps import flask_app
from tests.idioms.rows import shows
from tests.support.apps.clients import client, policy, statuses
from tests.support.processes.caller import Caller
from tests.support.processes.services import THREADS, App, Sidecar, running, until


@pytest.fixture(scope="module")
def app(sidecar: Sidecar) -> Generator[App]:
    app = App("flask", sidecar, *THREADS, "tests.idioms.apps.flask_app:app")
    with running(app):
        yield app


@pytest.fixture
def flask(app: App, address: str) -> Caller:
    return Caller(app.url, address)


@shows("decorator of a route")
def test_a_view_has_a_limit(flask: Caller) -> None:
    assert [flask.passed(f"/decorated/{number}", 1) for number in range(3)] == [1, 1, 0]


@shows("default limits, of each route", "limit of the whole application", "limits from a file")
def test_default_limits_and_that_of_the_app(flask: Caller) -> None:
    """Both come from the app's configuration, as a dict of options."""
    assert flask.passed("/one", 5) == 4
    assert flask.passed("/two", 5) == 4
    assert flask.statuses("/nowhere", 2) == [404, 429]


@shows("default limits and those of a route")
def test_both_count_where_the_view_says_so(flask: Caller) -> None:
    answer = flask.ask("/both")
    assert {it["q"] for it in policy(answer).values()} == {3, 4, 9}
    assert flask.passed("/both", 3) == 2


@shows("by method", "classes of views")
@pytest.mark.parametrize("path", ["/each", "/things"])
def test_each_method_counts_for_itself(flask: Caller, path: str) -> None:
    assert [flask.passed(path, 3, it) for it in ("GET", "POST")] == [2, 2]


@shows("classes of views")
def test_a_limit_of_a_class(flask: Caller) -> None:
    assert flask.passed("/whole", 3) == 2


@shows("blueprints, routers, nested apps")
def test_blueprints_in_blueprints(flask: Caller) -> None:
    """Of each view for itself, or of all together; what is closest counts."""
    assert [flask.passed(f"/outer/{name}", 3) for name in "ab"] == [2, 2]
    assert [flask.passed(f"/outer/inner/{name}", 2) for name in "ab"] == [2, 1]


@shows("exempt view, or group of views")
@pytest.mark.parametrize("path", ["/free", "/health/live"])
def test_a_view_and_a_blueprint_are_exempt(flask: Caller, path: str) -> None:
    """Also from the limit of the application."""
    assert flask.passed(path, 11) == 11


@shows("limit that routes share")
def test_views_share_a_limit(flask: Caller) -> None:
    assert [flask.passed(f"/shared-{name}", 2) for name in "ab"] == [2, 1]


@shows("exempt when")
def test_some_are_let_off(flask: Caller) -> None:
    assert flask.passed("/internal", 2, headers={"x-internal": "yes"}) == 2
    assert flask.passed("/internal", 2) == 1


@shows("limit by plan")
def test_a_function_without_arguments_says_the_limit(flask: Caller) -> None:
    passed = [flask.passed("/plan", 4, headers={"x-plan": it}) for it in ("free", "none")]
    assert passed == [1, 4]


@shows("limits from a file")
def test_a_limit_of_the_configuration(flask: Caller) -> None:
    assert flask.passed("/reports", 3) == 2


@shows("cost")
def test_a_function_says_the_cost(flask: Caller) -> None:
    asked = [flask.ask("/pages", params={"pages": pages}) for pages in (6, 5, 4)]
    assert statuses(asked) == [200, 429, 200]


@shows("charged by the response")
def test_only_failures_are_charged(flask: Caller) -> None:
    asked = [200, 200, 404, 404, 200]
    answers = [flask.ask("/failures", params={"status": status}) for status in asked]
    assert statuses(answers) == [200, 200, 404, 404, 429]


@shows("key by user, behind authentication")
def test_users_that_the_app_finds_itself(flask: Caller, addresses: Iterator[str]) -> None:
    """In a field or in the session, before the view: by the app's own code."""
    user = next(addresses)
    other = Caller(flask.url, next(addresses))
    assert flask.passed("/user", 1, headers={"x-user": user}) == 1
    assert other.passed("/user", 2, headers={"x-user": user}) == 1
    with client(flask.url, {"x-forwarded-for": next(addresses)}) as browser:
        browser.post("/session", data={"user": user})
        assert browser.get("/user").status_code == 429
    assert flask.passed("/user", 3) == 2


@shows("key by a field of the body")
def test_a_field_of_a_form(flask: Caller, address: str) -> None:
    tried = [{"username": f"{name} {address}"} for name in ("Ann", "ann", "bob")]
    assert flask.passed("/login", 2, "POST", data=tried[0]) == 2
    assert [flask.passed("/login", 1, "POST", data=it) for it in tried[1:]] == [0, 1]


@shows("several keys on one request")
def test_an_address_and_an_api_key_both_count(flask: Caller, address: str) -> None:
    keys = [{"x-api-key": f"{name} of {address}"} for name in ("one", "two", "three")]
    assert [flask.passed("/two-keys", 3, headers=it) for it in keys] == [2, 2, 0]


@shows("refusal of one's own")
def test_the_error_handler_of_the_app_answers(flask: Caller) -> None:
    answers = [flask.ask("/whole") for _ in range(3)]
    refused = answers[2]
    assert refused.status_code == 429
    assert refused.json()["error"].startswith("The limit is 2/day. Retry in ")
    assert 0 < refused.json()["wait"] <= 43_200
    assert 0 < int(refused.headers["retry-after"]) <= 43_200


@shows("the current request's limits in a handler")
def test_a_template_knows_what_is_left(flask: Caller) -> None:
    assert [flask.ask("/current").text for _ in range(2)] == ["2 of 3", "1 of 3"]


@shows("usage", "reset")
def test_a_client_s_usage_is_shown_and_forgotten(flask: Caller, address: str) -> None:
    """Of a scope, by any worker; the other one forgets within a second that it was denied."""
    assert flask.passed("/shared-a", 4) == 3
    assert flask.ask(f"/spent/{address}").json() == {"3/day": 3}
    assert flask.ask(f"/spent/{address}", "DELETE").json() == {"3/day": 3}
    until(lambda: flask.passed("/shared-b", 1) == 1)


@shows("test client")
def test_the_test_client_needs_no_sidecar(sidegate: Memory) -> None:
    asking = flask_app.app.test_client()
    assert [asking.get("/decorated/1").status_code for _ in range(3)] == [200, 200, 429]
    sidegate.reset()
    assert asking.get("/decorated/1").status_code == 200
