"""django-ratelimit's examples, on gunicorn with two workers and a real sidecar."""

from collections.abc import Generator, Iterator

import pytest

from tests.support.processes.caller import Caller
from tests.support.processes.services import THREADS, App, Sidecar, running


@pytest.fixture(scope="module")
def app(sidecar: Sidecar) -> Generator[App]:
    project = "tests.examples.apps.django_ratelimit_project:wsgi"
    app = App("django_ratelimit", sidecar, *THREADS, project)
    with running(app):
        yield app


@pytest.fixture
def caller(app: App, address: str) -> Caller:
    return Caller(app.url, address)


def user(addresses: Iterator[str]) -> dict[str, str]:
    """Return the field of a user whom nobody else is."""
    return {"x-user": next(addresses).replace(".", "")}


def test_a_view_that_is_only_told(caller: Caller) -> None:
    assert [caller.ask("/annotated").text for _ in range(7)] == ["free"] * 5 + ["limited"] * 2


def test_a_view_that_is_refused(caller: Caller) -> None:
    """And the project's own view answers."""
    assert caller.passed("/blocked", 6) == 5
    refused = caller.ask("/blocked")
    assert refused.text.startswith("/blocked: The limit is 5/hour. Retry in ")
    assert 0 < int(refused.headers["retry-after"]) <= 720


def test_two_fields_of_a_form(caller: Caller, address: str) -> None:
    """Five of a name, and seven of all names of a tenant."""
    forms = [{"username": f"{name} {address}", "tenant": address} for name in ("ann", "bob")]
    assert [caller.passed("/login", 6, "POST", data=form) for form in forms] == [5, 2]


def test_one_question_by_two_methods(caller: Caller, address: str) -> None:
    question = {"q": f"tea at {address}"}
    assert caller.passed("/search", 2, params=question) == 2
    assert caller.passed("/search", 2, "POST", data=question) == 1


def test_a_limit_for_strangers_alone(caller: Caller, addresses: Iterator[str]) -> None:
    assert caller.passed("/anonymous", 5, headers=user(addresses)) == 5
    assert caller.passed("/anonymous", 5) == 3


def test_a_limit_of_an_hour_and_one_of_a_day(caller: Caller, addresses: Iterator[str]) -> None:
    """For users and, where there is none, addresses."""
    assert caller.passed("/burst", 5, headers=user(addresses)) == 3
    assert caller.passed("/burst", 5) == 3


def test_a_group_shares_a_counter(caller: Caller) -> None:
    assert [caller.passed(f"/expensive-{name}", 2) for name in "ab"] == [2, 1]


def test_keys_by_a_field_and_by_a_function(caller: Caller, addresses: Iterator[str]) -> None:
    fields = [{"x-cluster-client-ip": next(addresses)} for _ in range(2)]
    assert [caller.passed("/behind", 3, headers=it) for it in fields] == [2, 2]


@pytest.mark.parametrize(("path", "passed"), [("/things", 1), ("/wrapped", 1)])
def test_methods_of_a_class_have_limits(caller: Caller, path: str, passed: int) -> None:
    assert caller.passed(path, 3) == passed


def test_an_unsafe_method_has_another(caller: Caller) -> None:
    assert [caller.passed("/things", 3, it) for it in ("GET", "POST")] == [1, 2]
