"""Flask-Limiter's quick start, on gunicorn with two workers and a real sidecar."""

from collections.abc import Generator

import pytest

from tests.support.processes.caller import Caller
from tests.support.processes.services import THREADS, App, Sidecar, running


@pytest.fixture(scope="module")
def app(sidecar: Sidecar) -> Generator[App]:
    app = App("flask_limiter", sidecar, *THREADS, "tests.examples.apps.flask_limiter_app:app")
    with running(app):
        yield app


@pytest.fixture
def caller(app: App, address: str) -> Caller:
    return Caller(app.url, address)


def test_a_limit_instead_of_the_default_ones(caller: Caller) -> None:
    assert caller.passed("/slow", 3) == 1


def test_a_limit_beside_the_default_ones(caller: Caller) -> None:
    assert caller.passed("/medium", 4) == 2


def test_the_default_limits(caller: Caller) -> None:
    """Fifty in an hour; what the day has left doesn't help."""
    assert caller.passed("/fast", 52) == 50


def test_no_limit(caller: Caller) -> None:
    assert caller.passed("/ping", 55) == 55
