"""The idioms of django-ratelimit, in Django on gunicorn: two workers share all limits."""

from collections.abc import Generator, Iterator

import pytest

from tests.idioms.rows import shows
from tests.support.apps.clients import policy
from tests.support.processes.caller import Caller
from tests.support.processes.services import THREADS, App, Sidecar, running


@pytest.fixture(scope="module")
def app(sidecar: Sidecar) -> Generator[App]:
    app = App("django", sidecar, *THREADS, "tests.idioms.apps.django_project:wsgi")
    with running(app):
        yield app


@pytest.fixture
def django(app: App, address: str) -> Caller:
    return Caller(app.url, address)


@shows(
    "Django's MIDDLEWARE, and ratelimit",
    "default limits, of each route",
    "limit of the whole application",
    "limits from a file",
    "exempt path",
)
def test_the_middleware_has_its_limits_from_the_settings(django: Caller) -> None:
    """For each view, and for all together with what isn't found."""
    assert django.passed("/one", 5) == 4
    assert django.passed("/items/7", 5) == 4
    assert django.statuses("/nowhere", 2) == [404, 429]
    assert django.passed("/healthz", 3) == 3


@shows("decorator of a route", "the current request's limits in a handler")
def test_a_view_has_a_limit_and_knows_what_is_left(django: Caller) -> None:
    answers = [django.ask("/decorated") for _ in range(3)]
    assert [it.status_code for it in answers] == [200, 200, 429]
    assert [it.text for it in answers[:2]] == ["1 of 2", "0 of 2"]


@shows("exempt view, or group of views")
def test_a_view_is_exempt(django: Caller) -> None:
    assert django.passed("/free", 11) == 11


@shows("classes of views", "by method")
@pytest.mark.parametrize(("path", "passed"), [("/things", [2, 2]), ("/limited", [1, 3])])
def test_limits_of_classes(django: Caller, path: str, passed: list[int]) -> None:
    assert [django.passed(path, 3, it) for it in ("GET", "POST")] == passed


@shows("Django's MIDDLEWARE, and ratelimit", "key by user, behind authentication")
def test_users_and_else_addresses(django: Caller, addresses: Iterator[str]) -> None:
    user = {"x-user": next(addresses).replace(".", "")}
    assert django.passed("/user", 1, headers=user) == 1
    assert Caller(django.url, next(addresses)).passed("/user", 2, headers=user) == 1
    assert django.passed("/user", 3) == 2


@shows("several keys on one request", "key by a field of the body")
def test_addresses_and_a_field_of_a_form(django: Caller, address: str) -> None:
    passed = [
        django.passed("/login", 3, "POST", data={"username": f"{name} {address}"})
        for name in ("ann", "bob")
    ]
    assert passed == [2, 1]


@shows("0/minute, None, 100/300")
def test_unusual_rates(django: Caller) -> None:
    assert policy(django.ask("/seconds")).popitem()[1] == {"q": 2, "w": 86_400}
    assert django.passed("/seconds", 2) == 1
    assert django.passed("/blocked", 2) == 0
    assert django.passed("/anonymous", 3, headers={"x-user": "7"}) == 3
    assert django.passed("/anonymous", 3) == 1


@shows("limit that routes share")
def test_a_group_shares_a_limit(django: Caller) -> None:
    assert [django.passed(f"/expensive-{name}", 2) for name in "ab"] == [2, 1]


@shows("Django's MIDDLEWARE, and ratelimit")
def test_a_limit_that_only_tells(django: Caller) -> None:
    assert [django.ask("/soft").text for _ in range(2)] == ["False", "True"]


@shows("usage", "check in a handler")
def test_a_view_looks_at_what_is_spent(django: Caller) -> None:
    looked = [django.ask("/usage").json() for _ in range(2)]
    assert looked == [
        {"limited": [False, False], "count": 2, "limit": 3},
        {"limited": [False, True], "count": 3, "limit": 3},
    ]
