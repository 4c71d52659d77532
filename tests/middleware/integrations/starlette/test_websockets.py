"""Starlette: limits of websockets, for their handshakes and for each message."""

# A function of the request is one of any framework's, so lambdas have no types.
# pyright: reportUnknownLambdaType=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.endpoints import WebSocketEndpoint
from starlette.exceptions import WebSocketException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, WebSocketRoute
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.websockets import WebSocket, WebSocketDisconnect

from sidegate import Limiter, RateLimitExceeded
from sidegate.asgi.types import Message
from sidegate.testing import Memory
from tests.support.apps.limited import client_of
from tests.support.middleware.asgi_app import websocket

pytestmark = pytest.mark.usefixtures("sidegate")

Check = Callable[[WebSocket], Awaitable[Any]]


def echoing(check: Check) -> Callable[[WebSocket], Awaitable[None]]:
    """Return an endpoint that sends back each message which a check lets through."""

    async def echo(websocket: WebSocket) -> None:
        await websocket.accept()
        async for text in websocket.iter_text():
            await check(websocket)
            await websocket.send_text(text)

    return echo


async def passing(_: WebSocket) -> None:
    """Check nothing."""


def sent(client: TestClient, count: int, path: str = "/ws") -> tuple[int, int, str]:
    """Return how many of some messages came back, and with what the websocket was closed."""
    with client.websocket_connect(path) as socket:
        for at in range(count):
            try:
                socket.send_text("x")
                socket.receive_text()
            except WebSocketDisconnect as closed:
                return at, closed.code, closed.reason
    return count, 1000, ""


def denied(client: TestClient, path: str = "/ws") -> WebSocketDenialResponse | WebSocketDisconnect:
    """Return what a handshake was denied with."""
    with (
        pytest.raises((WebSocketDenialResponse, WebSocketDisconnect)) as told,
        client.websocket_connect(path),
    ):
        pytest.fail("it was accepted")
    return told.value


# --- handshakes


def test_a_handshake_is_limited_and_denied_by_a_response() -> None:
    limiter = Limiter("9/minute")
    echo = limiter.limit("2/minute")(echoing(passing))
    client = client_of(limiter, WebSocketRoute("/ws", echo))
    assert [sent(client, 1)[0] for _ in range(2)] == [1, 1]
    told = denied(client)
    assert isinstance(told, WebSocketDenialResponse)
    assert (told.status_code, told.headers["retry-after"]) == (429, "30")
    assert told.json()["title"] == "Quota Exceeded"


async def test_it_is_closed_where_the_server_knows_no_such_response() -> None:
    limiter = Limiter(default_limits="1/minute")
    app = Starlette(routes=[WebSocketRoute("/ws", echoing(passing))])
    app.add_middleware(limiter.asgi)
    scope = websocket(query_string=b"", root_path="")
    for expected in ("websocket.accept", "websocket.close"):
        waiting: list[Message] = [
            {"type": "websocket.connect"},
            {"type": "websocket.disconnect", "code": 1000},
        ]
        answers: list[Message] = []

        async def receive(waiting: list[Message] = waiting) -> Message:
            return waiting.pop(0)

        async def send(message: Message, answers: list[Message] = answers) -> None:
            answers.append(message)

        await app({**scope}, receive, send)
        assert answers[0]["type"] == expected
    assert answers == [{"type": "websocket.close", "code": 1008}]


def test_the_fields_are_in_the_response_of_the_handshake() -> None:
    limiter = Limiter(default_limits="2/minute")
    client = client_of(limiter, WebSocketRoute("/ws", echoing(passing)))
    with client.websocket_connect("/ws") as socket:
        fields: dict[bytes, bytes] = dict(socket.extra_headers or [])
    assert fields[b"ratelimit-policy"] == b'"echo";q=2;w=60'


def test_classes_mounts_and_methods_are_as_for_requests() -> None:
    """A handshake is a GET."""
    limiter = Limiter()

    @limiter.limit("1/minute", methods=["GET"])
    class Socket(WebSocketEndpoint):
        encoding = "text"

    other = limiter.limit("1/minute", methods=["POST"])(echoing(passing))
    routes = [WebSocketRoute("/ws", Socket), WebSocketRoute("/other", other)]
    client = client_of(limiter, Mount("/a", routes=routes))
    with client.websocket_connect("/a/ws"):
        pass
    denied(client, "/a/ws")
    assert [sent(client, 1, "/a/other")[0] for _ in range(3)] == [1, 1, 1]


def test_what_is_no_websocket_is_charged_to_the_application(sidegate: Memory) -> None:
    """So nobody looks for one without end."""
    client = client_of(Limiter("9/minute"), WebSocketRoute("/ws", echoing(passing)))
    for _ in range(2):
        denied(client, "/nothing")
    assert sidegate.spent("default:testclient") == {"9/minute": 2}


def test_an_exempt_one_has_no_limits(sidegate: Memory) -> None:
    limiter = Limiter("1/minute", default_limits="1/minute")
    client = client_of(limiter, WebSocketRoute("/ws", limiter.exempt(echoing(passing))))
    assert [sent(client, 1)[0] for _ in range(3)] == [1, 1, 1]
    assert sidegate.keys() == []


# --- messages


def test_messages_have_the_limits_of_the_route_apart_from_handshakes(sidegate: Memory) -> None:
    limiter = Limiter(service="shop")
    echo = limiter.limit("3/minute")(echoing(limiter.check_message))
    client = client_of(limiter, WebSocketRoute("/ws", echo))
    assert sent(client, 5) == (3, 1008, "The limit is 3/minute. Retry in 20 s.")
    keys = sidegate.keys()
    assert sorted(sum(sidegate.spent(key).values()) for key in keys) == [1, 3]


def test_messages_may_have_limits_of_their_own() -> None:
    limiter = Limiter()

    async def check(socket: WebSocket) -> None:
        decision = await limiter.check_message(
            socket, lambda: "2/minute", key=lambda own: own.url.path, error_message="enough"
        )
        assert decision is not None
        assert decision.allowed

    client = client_of(limiter, WebSocketRoute("/ws/{x}", echoing(check)))
    assert sent(client, 3, "/ws/a") == (2, 1008, "enough")
    assert sent(client, 3, "/ws/b")[0] == 2


def test_a_message_that_no_limit_counts_has_no_decision() -> None:
    limiter = Limiter()

    async def check(socket: WebSocket) -> None:
        assert await limiter.check_message(socket, lambda: None) is None
        assert await limiter.check_message(socket, "1/minute", key=lambda: None) is None
        assert await limiter.check_message(socket, "1/minute", exempt_when=lambda: True) is None

    assert sent(client_of(limiter, WebSocketRoute("/ws", echoing(check))), 3)[0] == 3


def test_the_app_may_catch_it_and_go_on() -> None:
    limiter = Limiter()

    async def echo(websocket: WebSocket) -> None:
        await websocket.accept()
        async for text in websocket.iter_text():
            try:
                await limiter.check_message(websocket, "1/minute")
                await websocket.send_text(text)
            except RateLimitExceeded as error:
                await websocket.send_text(f"no, {error.status_code}")

    with client_of(limiter, WebSocketRoute("/ws", echo)).websocket_connect("/ws") as socket:
        for told in ("x", "no, 429", "no, 429"):
            socket.send_text("x")
            assert socket.receive_text() == told


@pytest.mark.parametrize("limits", [None, "1/parsec", 7])
def test_a_mistake_in_the_call_is_the_app_s(limits: Any) -> None:
    limiter, seen = Limiter(), list[str]()

    async def check(socket: WebSocket) -> None:
        try:
            await limiter.check_message(socket, limits)
        except ValueError as error:
            seen.append(str(error))

    assert sent(client_of(limiter, WebSocketRoute("/ws", echoing(check))), 1)[0] == 1
    assert seen[0].startswith("limits=")


def response(_: Request, __: Exception) -> Response:
    return PlainTextResponse("own", 429)


async def closing(socket: WebSocket, error: Exception) -> None:
    await socket.close(4000, f"own {error}")


def test_a_handler_for_requests_is_not_asked_to_close_a_websocket() -> None:
    limiter = Limiter()
    client = client_of(
        limiter,
        WebSocketRoute("/ws", echoing(lambda own: limiter.check_message(own, "1/minute"))),
        exception_handlers={RateLimitExceeded: response, 429: response},
    )
    assert sent(client, 2)[:2] == (1, 1008)


def test_one_for_websockets_is() -> None:
    limiter = Limiter()
    client = client_of(
        limiter,
        WebSocketRoute("/ws", echoing(lambda own: limiter.check_message(own, "1/minute"))),
        exception_handlers={WebSocketException: closing},
    )
    assert sent(client, 2) == (1, 4000, "own The limit is 1/minute. Retry in 60 s.")


def test_messages_are_checked_without_the_middleware_too() -> None:
    limiter = Limiter()
    echo = echoing(lambda own: limiter.check_message(own, "1/minute"))
    client = TestClient(Starlette(routes=[WebSocketRoute("/ws", echo)]))
    assert sent(client, 2)[:2] == (1, 1008)
