"""A route with limits of its own is limited in an app without the middleware."""

import logging

import pytest
from fastapi import Depends, FastAPI, WebSocket
from fastapi.testclient import TestClient
from starlette.testclient import WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect

from sidegate import Limiter
from sidegate.testing import Memory

pytestmark = pytest.mark.usefixtures("sidegate")


def statuses(client: TestClient, path: str, count: int) -> list[int]:
    return [client.get(path).status_code for _ in range(count)]


def test_a_decorator_is_enough(caplog: pytest.LogCaptureFixture) -> None:
    limiter, app = Limiter(), FastAPI()

    @app.get("/")
    @limiter.limit("2/minute")
    async def view() -> int | None:
        return limiter.current.remaining

    client = TestClient(app)
    answers = [client.get("/") for _ in range(3)]
    assert [each.status_code for each in answers] == [200, 200, 429]
    assert [each.json() for each in answers[:2]] == [1, 0]
    assert answers[0].headers["ratelimit"] == '"view";r=1;t=30'
    assert answers[2].headers["retry-after"] == "30"
    assert limiter.current.decision is None  # nothing is left of the request
    assert not [record for record in caplog.records if record.name == "sidegate"]


def test_what_does_not_apply_then_is_said_once(
    caplog: pytest.LogCaptureFixture, sidegate: Memory
) -> None:
    limiter, app = Limiter("9/minute", default_limits="1/minute"), FastAPI()
    limited = Depends(limiter.dep("1/minute"))

    @app.get("/own")
    @limiter.limit("2/minute")
    async def own() -> None:
        pass

    @app.get("/dep", dependencies=[limited])
    async def dep() -> None:
        pass

    @app.get("/other")
    async def other() -> None:
        pass

    client = TestClient(app)
    with caplog.at_level(logging.WARNING, "sidegate"):
        assert statuses(client, "/own", 3) == [200, 200, 429]
    assert [record.getMessage()[:67] for record in caplog.records if record.name == "sidegate"] == [
        "sidegate: app.add_middleware(limiter.asgi) is missing: limits=, rul"
    ]
    assert statuses(client, "/dep", 2) == [200, 429]
    assert statuses(client, "/other", 3) == [200] * 3
    assert sidegate.spent("default:testclient") == {"9/minute": 2}


def test_two_limiters_on_one_route_are_both_asked() -> None:
    one, two, app = Limiter(), Limiter(service="two"), FastAPI()
    app.add_middleware(two.asgi)

    @app.get("/")
    @one.limit("2/minute")
    @two.limit("3/minute")
    async def view() -> tuple[int | None, int | None]:
        return one.current.remaining, two.current.remaining

    client = TestClient(app)
    assert client.get("/").json() == [1, 2]
    assert statuses(client, "/", 2) == [200, 429]


def test_a_websocket_is_limited_at_its_handshake_and_for_each_message() -> None:
    limiter, app = Limiter(), FastAPI()

    @app.websocket("/")
    @limiter.limit("2/minute")
    async def talk(websocket: WebSocket) -> None:
        await websocket.accept()
        while True:
            text = await websocket.receive_text()
            await limiter.check_message(websocket)
            await websocket.send_text(text)

    client = TestClient(app)
    with client.websocket_connect("/") as socket:
        for text in ("a", "b"):
            socket.send_text(text)
            assert socket.receive_text() == text
        socket.send_text("c")
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_text()
        assert closed.value.code == 1008
    limiter.limit("1/day")(talk)
    with pytest.raises(WebSocketDisconnect), client.websocket_connect("/"):
        pass  # which its view doesn't expect
    with pytest.raises(WebSocketDenialResponse) as denied, client.websocket_connect("/"):
        pass
    assert denied.value.status_code == 429


@pytest.mark.parametrize("method", ["PURGE", "FOO", "BAR"])
def test_a_made_up_method_is_no_way_around(method: str) -> None:
    """One that no limit names counts as one with all others of its kind."""
    limiter, app = Limiter(), FastAPI()

    @limiter.limit("1/minute", per_method=True)
    @limiter.limit("3/minute", methods=["PURGE"])
    async def view() -> None:
        pass

    app.add_api_route("/", view, methods=["PURGE", "FOO", "BAR"])
    client = TestClient(app)
    assert client.request(method, "/").status_code == 200
    assert client.request(method, "/").status_code == 429
    assert client.request("BAZ" if method == "PURGE" else "FOO", "/").status_code in {405, 429}
