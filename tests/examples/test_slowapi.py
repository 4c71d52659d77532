"""slowapi's quick start and examples, on uvicorn with a real sidecar."""

from collections.abc import Generator

import pytest

from tests.support.apps.clients import statuses
from tests.support.processes.caller import Caller
from tests.support.processes.services import UVICORN, App, Sidecar, running


@pytest.fixture(scope="module")
def app(sidecar: Sidecar) -> Generator[App]:
    app = App("slowapi", sidecar, *UVICORN, "tests.examples.apps.slowapi_app:app")
    with running(app):
        yield app


@pytest.fixture
def caller(app: App, address: str) -> Caller:
    return Caller(app.url, address)


def test_each_of_two_routes_passes_five_times(caller: Caller) -> None:
    assert [caller.passed(path, 7) for path in ("/home", "/mars")] == [5, 5]


def test_a_parameter_of_a_path_makes_no_other_limit(caller: Caller) -> None:
    """As with key_style="endpoint"."""
    assert [caller.passed(f"/planets/{name}", 1) for name in ("a", "b", "c")] == [1, 1, 0]


def test_the_default_limit_and_the_route_that_is_exempt(caller: Caller) -> None:
    assert caller.passed("/starlette/home", 3) == 1
    assert caller.passed("/starlette/status", 5) == 5


def test_a_cost_by_the_size_of_a_body(caller: Caller) -> None:
    """What is too large for what is left costs nothing."""
    sent = [caller.ask("/starlette/upload", "POST", content=b"x" * size) for size in (60, 41, 40)]
    assert statuses(sent) == [200, 429, 200]


def test_a_limiter_that_is_switched_off(caller: Caller) -> None:
    assert caller.passed("/disabled/", 4) == 4
