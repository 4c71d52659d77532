"""Websockets in Quart: limited at the handshake, and at each message that is asked about."""

from typing import Any

import pytest
from quart import Quart, websocket
from quart.testing.connections import WebsocketDisconnectError, WebsocketResponseError
from quart.wrappers import Websocket

from sidegate import Decision, Limiter, RateLimitExceeded
from sidegate.testing import Memory

pytestmark = pytest.mark.usefixtures("sidegate")


async def echo() -> None:
    while True:
        await websocket.send(await websocket.receive())


def app_with(limiter: Limiter, view: Any) -> Quart:
    app = Quart("shop")
    limiter.init_app(app)
    app.add_websocket("/ws", "view", view)
    return app


async def talk(app: Quart, *messages: str) -> list[Any]:
    """Return what comes back, and at last the code by which the websocket was closed, if it was."""
    said: list[Any] = []
    client: Any = app.test_client()
    async with client.websocket("/ws") as connection:
        try:
            for message in messages:
                await connection.send(message)
                said.append(await connection.receive())
        except WebsocketDisconnectError as error:
            said.append(error.args[0])
    return said


async def test_a_handshake_counts_and_is_refused_before_it_is_one(sidegate: Memory) -> None:
    limiter = Limiter("100/minute")
    app = app_with(limiter, limiter.limit("2/minute")(echo))
    assert [await talk(app, "a") for _ in range(2)] == [["a"], ["a"]]
    with pytest.raises(WebsocketResponseError) as refused:
        await talk(app, "a")
    answer = refused.value.response
    assert answer.status_code == 429
    assert answer.headers["content-type"] == "application/problem+json"
    assert 0 < int(answer.headers["retry-after"]) <= 60
    assert len(sidegate.keys()) == 2


async def test_each_message_pays_for_itself() -> None:
    """A refusal that isn't caught closes the websocket with 1008."""
    limiter = Limiter()

    async def limited() -> None:
        while True:
            message = await websocket.receive()
            decision = await limiter.check_message(websocket, "2/minute")
            assert isinstance(decision, Decision)
            await websocket.send(f"{message!s} {decision.remaining}")

    assert await talk(app_with(limiter, limited), *"abcd") == ["a 1", "b 0", 1008]


@pytest.mark.parametrize("limits", ["2/minute", ["2/minute", "90/day"]])
async def test_limits_at_messages_have_the_options_of_any(limits: Any) -> None:
    limiter = Limiter()

    async def limited() -> None:
        while True:
            message: Any = await websocket.receive()
            await limiter.check_message(
                websocket, limits, key=lambda: websocket.path, cost=len(message), scope="words"
            )
            await websocket.send(message)

    assert await talk(app_with(limiter, limited), "a", "b", "c") == ["a", "b", 1008]
    assert await talk(app_with(limiter, limited), "ab") == [1008]


async def test_a_refusal_may_be_caught() -> None:
    """By default the limits are those of the route, counted apart from handshakes."""
    limiter = Limiter()

    @limiter.limit("2/minute", key=lambda: websocket.path)
    async def limited() -> None:
        proxy: Any = websocket
        here = proxy._get_current_object()
        assert isinstance(here, Websocket)
        while True:
            message: Any = await websocket.receive()
            try:
                await limiter.check_message(here)
            except RateLimitExceeded as error:
                message = f"{error.status_code} {limiter.current.remaining}"
            await websocket.send(message)

    assert await talk(app_with(limiter, limited), *"abc") == ["a", "b", "429 1"]


async def test_messages_need_limits() -> None:
    limiter = Limiter()
    said: list[str] = []

    async def unlimited() -> None:
        try:
            await limiter.check_message(websocket)
        except ValueError as error:
            said.append(str(error))
        await websocket.send(await websocket.receive())

    assert await talk(app_with(limiter, unlimited), "a") == ["a"]
    assert said == ["limits=None: expected limits, since the websocket's route has none"]
