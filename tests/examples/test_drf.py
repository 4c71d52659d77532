"""The throttles of DRF's guide, on gunicorn with two workers and a real sidecar."""

from collections.abc import Generator, Iterator

import pytest

from tests.support.processes.caller import Caller
from tests.support.processes.services import THREADS, App, Sidecar, running


@pytest.fixture(scope="module")
def app(sidecar: Sidecar) -> Generator[App]:
    app = App("drf_guide", sidecar, *THREADS, "tests.examples.apps.drf_project:wsgi")
    with running(app):
        yield app


@pytest.fixture
def caller(app: App, address: str) -> Caller:
    return Caller(app.url, address)


@pytest.fixture
def user(addresses: Iterator[str]) -> dict[str, str]:
    """Return the field of a user whom nobody else is."""
    return {"x-user": next(addresses).replace(".", "")}


def test_strangers_and_users_by_the_settings(caller: Caller, user: dict[str, str]) -> None:
    """Strangers are counted by both throttles, as in DRF; the stricter one refuses."""
    assert caller.passed("/plain", 12) == 10
    assert caller.passed("/plain", 22, headers=user) == 20


def test_two_views_share_a_scope(caller: Caller, user: dict[str, str]) -> None:
    passed = [caller.passed(path, 4, headers=user) for path in ("/contacts", "/contact")]
    assert passed == [4, 1]


def test_another_scope_counts_for_itself(caller: Caller, user: dict[str, str]) -> None:
    assert caller.passed("/contacts", 1, headers=user) == 1
    assert caller.passed("/uploads", 3, "POST", headers=user) == 2


def test_a_burst_and_a_sustained_rate(caller: Caller, user: dict[str, str]) -> None:
    assert caller.passed("/search", 5, headers=user) == 3


def test_a_throttle_by_decorator(caller: Caller, user: dict[str, str]) -> None:
    assert caller.passed("/once", 3, headers=user) == 1
    refused = caller.ask("/once", headers=user)
    assert refused.json()["detail"].startswith("Request was throttled. Expected available in")


def test_a_throttle_of_an_action(caller: Caller, user: dict[str, str]) -> None:
    assert caller.passed("/accounts", 6, headers=user) == 6
    assert caller.passed("/accounts/export", 5, headers=user) == 3
