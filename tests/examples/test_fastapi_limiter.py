"""fastapi-limiter's examples, on uvicorn with a real sidecar."""

from collections.abc import Generator, Iterator

import pytest
from websockets.sync.client import connect

from tests.support.processes.caller import Caller
from tests.support.processes.services import UVICORN, App, Sidecar, running


@pytest.fixture(scope="module")
def app(sidecar: Sidecar) -> Generator[App]:
    app = App("fastapi_limiter", sidecar, *UVICORN, "tests.examples.apps.fastapi_limiter_app:app")
    with running(app):
        yield app


@pytest.fixture
def caller(app: App, address: str) -> Caller:
    return Caller(app.url, address)


def test_two_routes_of_one_path(caller: Caller) -> None:
    assert [caller.passed("/", 4, method) for method in ("GET", "POST")] == [2, 1]


def test_the_callback_answers(caller: Caller) -> None:
    assert caller.passed("/", 1, "POST") == 1
    refused = caller.ask("/", "POST")
    assert refused.json()["detail"] == "Slow down"
    assert 0 < refused.json()["wait"] <= 3_600


def test_the_stricter_of_two_limits_holds(caller: Caller) -> None:
    assert caller.passed("/multiple", 4) == 2


def test_a_route_is_left_out(caller: Caller) -> None:
    assert caller.passed("/skip", 5) == 5


def test_users_count_by_what_a_dependency_says(caller: Caller, addresses: Iterator[str]) -> None:
    """Who is nobody isn't limited."""
    user = {"x-user": next(addresses)}
    assert caller.passed("/user", 3, headers=user) == 2
    assert Caller(caller.url, next(addresses)).passed("/user", 1, headers=user) == 0
    assert caller.passed("/user", 4) == 4


def test_each_text_of_a_websocket_counts_for_itself(app: App, address: str) -> None:
    url, fields = f"ws://{app.http}/ws", {"x-forwarded-for": address}
    with connect(url, additional_headers=fields, proxy=None) as websocket:
        for text in ("a", "a", "b"):
            websocket.send(text)
        assert [websocket.recv() for _ in range(3)] == ["hello", "again?", "hello"]
