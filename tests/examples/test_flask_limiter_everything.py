"""Flask-Limiter's large example, on gunicorn with two workers and a real sidecar."""

from collections.abc import Generator

import pytest

from tests.support.processes.caller import Caller
from tests.support.processes.services import THREADS, App, Sidecar, running, until


@pytest.fixture(scope="module")
def app(sidecar: Sidecar) -> Generator[App]:
    wsgi = "tests.examples.apps.flask_limiter_everything:app"
    app = App("flask_limiter_everything", sidecar, *THREADS, wsgi)
    app.ready_at = "/version"
    with running(app):
        yield app


@pytest.fixture
def caller(app: App, address: str) -> Caller:
    return Caller(app.url, address)


def test_default_limits_that_depend_on_the_request(caller: Caller) -> None:
    """Six for those who behave; four for others, who pay two for each."""
    assert caller.passed("/default", 2, headers={"x-evil": "1"}) == 2
    assert caller.passed("/default", 1, headers={"x-evil": "1"}) == 0
    assert caller.passed("/default", 3, headers={"x-internal": "1"}) == 3


def test_only_what_was_served_is_charged(caller: Caller) -> None:
    assert caller.statuses("/default", 8, params={"status": 404}) == [404] * 8
    assert caller.passed("/default", 7) == 6


def test_a_page_for_who_is_refused(caller: Caller) -> None:
    """Both sets of fields are there, and the app's own handler has seen it."""
    assert caller.passed("/", 3) == 3
    refused = caller.ask("/")
    assert (refused.status_code, refused.text) == (429, "<h1>3/hour</h1>")
    assert refused.headers["x-handled"] == "yes"
    assert refused.headers["x-ratelimit-remaining"] == "0"
    assert "ratelimit-policy" in refused.headers


def test_a_class_counts_each_method(caller: Caller) -> None:
    assert [caller.passed("/resource", 2, method) for method in ("GET", "POST")] == [2, 2]
    assert caller.ask("/resource").json() == {"limit": "2/hour"}


def test_a_view_and_a_blueprint_are_exempt(caller: Caller) -> None:
    """From all limits, that of the application too."""
    assert [caller.passed(path, 26) for path in ("/version", "/health/")] == [26, 26]


def test_who_is_refused_twice_is_out_for_the_day(caller: Caller) -> None:
    assert caller.passed("/", 5) == 3
    until(lambda: caller.passed("/default", 1) == 0)
    assert caller.passed("/version", 1) == 1
