"""Quart on uvicorn and hypercorn, with a real sidecar and real websockets."""

from collections.abc import Generator

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from tests.support.apps.clients import client, statuses
from tests.support.processes.services import UVICORN, App, Sidecar, running

HYPERCORN = ("hypercorn", "--bind=127.0.0.1:{port}", "--workers=0", "--log-level=warning")


@pytest.fixture(scope="module", params=[UVICORN, HYPERCORN], ids=["uvicorn", "hypercorn"])
def app(request: pytest.FixtureRequest, sidecar: Sidecar) -> Generator[App]:
    app = App("quart", sidecar, *request.param, "tests.support.apps.quart_app:app")
    with running(app):
        yield app


def talk(app: App, address: str, *messages: str) -> list[object]:
    """Return what comes back, and at last the code by which the websocket was closed, if it was."""
    said: list[object] = []
    fields = {"x-forwarded-for": address}
    with connect(f"ws://{app.http}/echo", additional_headers=fields, proxy=None) as connection:
        try:
            for message in messages:
                connection.send(message)
                said.append(connection.recv())
        except ConnectionClosed as closed:
            said.append(closed.rcvd and closed.rcvd.code)
    return said


def test_a_key_that_is_awaited(app: App, key: str, address: str) -> None:
    """HEAD is as GET, and a refusal of it has no body."""
    with client(app.url, {"x-forwarded-for": address}) as asking:
        answers = [asking.get(f"/pay?account={key}") for _ in range(4)]
        heads = [asking.head(f"/pay?account={key}") for _ in range(2)]
        others = [asking.get("/pay"), asking.get("/nowhere")]
    assert [it.json()["left"] for it in answers] == [4, 3, 2, 1]
    assert statuses(heads) == [200, 429]
    assert heads[1].headers["content-type"] == "application/problem+json"
    assert statuses(others) == [200, 404]


def test_handshakes_and_messages_count_apart(app: App, address: str) -> None:
    assert talk(app, address, *"ab") == ["a", "b"]
    assert talk(app, address, "c") == [1008]
    assert talk(app, address) == []
    with pytest.raises(InvalidStatus) as refused:
        talk(app, address)
    response = refused.value.response
    assert response.status_code == 429
    assert 0 < int(response.headers["retry-after"]) <= 1200
    assert b"quota-exceeded" in bytes(response.body or b"")
