"""Websocket handshakes on uvicorn, by a real client: limited like requests, but only once each."""

from collections.abc import Generator
from contextlib import contextmanager

import httpx2
import pytest
from websockets.exceptions import InvalidStatus
from websockets.http11 import Response
from websockets.sync.client import ClientConnection, connect

from tests.support.apps.clients import assert_is_refusal, current, policy
from tests.support.processes.services import UVICORN, App, Sidecar, running


@pytest.fixture(scope="module")
def app(sidecar: Sidecar) -> Generator[App]:
    app = App("websockets", sidecar, *UVICORN, "tests.support.apps.websocket_app:app")
    with running(app):
        yield app


class Caller:
    """Opens websockets from one address."""

    def __init__(self, app: App, address: str) -> None:
        self._url = f"ws://{app.http}"
        self._behind = {"x-forwarded-for": address}

    @contextmanager
    def talking(self, path: str = "/") -> Generator[ClientConnection]:
        """Shake hands, and talk for as long as the block."""
        fields = self._behind
        with connect(self._url + path, additional_headers=fields, proxy=None) as connection:
            yield connection

    def accepted(self, path: str = "/") -> httpx2.Response:
        """Shake hands and leave; return the response that accepted it."""
        with self.talking(path) as connection:
            assert connection.response
            return _as_httpx(connection.response)

    def refused(self, path: str = "/") -> httpx2.Response:
        """Shake hands in vain; return the response that refused it."""
        with pytest.raises(InvalidStatus) as failure, self.talking(path):
            pass
        return _as_httpx(failure.value.response)


def _as_httpx(response: Response) -> httpx2.Response:
    headers = list(response.headers.raw_items())
    return httpx2.Response(
        response.status_code, headers=headers, content=bytes(response.body or b"")
    )


@pytest.fixture
def caller(app: App, address: str) -> Caller:
    """Return a caller from an address that no other test calls from."""
    return Caller(app, address)


def test_an_accepted_handshake_tells_what_is_left(caller: Caller) -> None:
    """Of seven handshakes five are accepted, with our fields beside those of the app."""
    answers = [caller.accepted() for _ in range(5)]
    assert [answer.status_code for answer in answers] == [101] * 5
    assert [current(answer)["default"]["r"] for answer in answers] == [4, 3, 2, 1, 0]
    assert [policy(answer) for answer in answers] == [{"default": {"q": 5, "w": 3600}}] * 5
    assert {answer.headers["x-app"] for answer in answers} == {"echo"}
    for answer in (caller.refused(), caller.refused()):
        assert_is_refusal(answer, violated=["default"], longest_wait=720)


def test_messages_cost_nothing(caller: Caller) -> None:
    """Once the handshake is accepted, a websocket is as free as without us."""
    with caller.talking() as connection:
        for number in range(50):
            connection.send(f"message {number}")
        assert [connection.recv() for _ in range(50)] == [f"message {at}" for at in range(50)]
    assert current(caller.accepted())["default"]["r"] == 3


def test_without_the_extension_a_refused_handshake_is_closed(caller: Caller) -> None:
    """A server that can't answer a handshake by a response of ours says 403 of its own."""
    answers = [caller.accepted("/bare") for _ in range(5)]
    assert [current(answer)["default"]["r"] for answer in answers] == [4, 3, 2, 1, 0]
    refusal = caller.refused("/bare")
    assert refusal.status_code == 403
    assert "ratelimit" not in refusal.headers
    assert caller.refused("/").status_code == 429
