"""Rules with `in_flight` in the ASGI middleware: a request holds its slot while it is answered."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from sidegate.asgi.middleware import RateLimitMiddleware
from sidegate.asgi.types import Message, Receive, Scope, Send
from sidegate.buckets.decision import Decision
from sidegate.client.client import Client
from sidegate.client.memory import STANDING
from sidegate.http.request.request import Request
from sidegate.http.rules import Rule
from sidegate.testing import Memory, isolated
from tests.support.in_process.cluster import eventually
from tests.support.middleware.asgi_app import BODY, START, App, http, run, websocket
from tests.support.middleware.checker import Checker

KEY = "api:192.0.2.1"
MORE: Message = {"type": "http.response.body", "body": b"more", "more_body": True}


@pytest.fixture(autouse=True)
def memory() -> Iterator[Memory]:
    with isolated() as memory:
        yield memory


class Slow:
    """An app that goes on when it is told to, and may do more behind its response."""

    def __init__(self, *messages: Message) -> None:
        self.messages = messages or (START, BODY)
        self.running = 0
        self.goes_on = asyncio.Event()
        self.ends = asyncio.Event()

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        self.running += 1
        await self.goes_on.wait()
        for message in self.messages:
            await send(message)
        self.running -= 1
        await self.ends.wait()


def limited(app: Any, in_flight: int = 1, limits: str = "100/minute", **more: Any) -> Any:
    rule = Rule("api", limits, in_flight=in_flight)
    if "client" not in more:
        more.setdefault("sidecar", "memory")
    return RateLimitMiddleware(app, rules=[rule], **more)


async def until_running(app: Slow, count: int) -> None:
    await eventually(lambda: app.running >= count)


async def test_no_more_run_than_may(memory: Memory) -> None:
    app = Slow()
    asked = limited(app, in_flight=2)
    running = [asyncio.create_task(run(asked, http())) for _ in range(2)]
    await until_running(app, 2)
    start, body = await run(asked, http())
    assert start["status"] == 429
    fields = dict(start["headers"])
    assert fields[b"retry-after"] == b"1"
    assert fields[b"ratelimit-policy"] == b'"api in flight";q=2;qu="concurrent-requests"'
    said = json.loads(body["body"])
    assert said["violated-policies"] == ["api in flight"]
    assert said["detail"] == "The limit is 2 at a time. Retry in 1 s."
    app.goes_on.set()
    app.ends.set()
    await asyncio.gather(*running)
    assert memory.slots.in_flight(KEY) == 0
    assert memory.spent(KEY) == {"100/minute": 2}  # who has no slot pays nothing


async def test_a_slot_is_free_behind_the_last_part_of_a_response(memory: Memory) -> None:
    """A stream holds it to its end, and what the app does in the background doesn't."""
    held: list[int] = []

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        for message in (START, MORE, MORE, {"type": "http.response.body"}):
            await send(message)
            held.append(memory.slots.in_flight(KEY))

    await run(limited(app), http())
    assert held == [1, 1, 1, 0]


async def test_a_slot_is_free_when_the_app_fails(memory: Memory) -> None:
    async def app(*_: object) -> None:
        raise RuntimeError("no")

    asked = limited(app)
    for _ in range(3):
        with pytest.raises(RuntimeError):
            await run(asked, http())
    assert memory.slots.in_flight(KEY) == 0


async def test_a_slot_is_free_when_the_server_cancels_a_request(memory: Memory) -> None:
    """As some do when the client has disconnected."""
    app = Slow()
    running = asyncio.create_task(run(limited(app), http()))
    await until_running(app, 1)
    assert memory.slots.in_flight(KEY) == 1
    running.cancel()
    await asyncio.wait([running])
    assert memory.slots.in_flight(KEY) == 0


async def test_what_the_limits_deny_gives_its_slot_back(memory: Memory) -> None:
    asked = limited(App(), limits="1/hour")
    statuses = [(await run(asked, http()))[0]["status"] for _ in range(3)]
    assert statuses == [200, 429, 429]
    assert memory.slots.in_flight(KEY) == 0


async def test_a_websocket_holds_it_until_it_is_closed(memory: Memory) -> None:
    held: list[int] = []

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept"})
        held.append(memory.slots.in_flight(KEY))
        await send({"type": "websocket.close"})
        held.append(memory.slots.in_flight(KEY))

    await run(limited(app), websocket())
    assert held == [1, 0]


async def test_a_rule_in_shadow_refuses_nobody() -> None:
    app = Slow()
    asked = limited(app, shadow=True)
    running = [asyncio.create_task(run(asked, http())) for _ in range(2)]
    await until_running(app, 2)
    app.goes_on.set()
    app.ends.set()
    marks = [dict((await it)[0]["headers"]).get(b"sidegate-shadow") for it in running]
    assert marks == [None, b"denied"]


async def test_a_response_of_its_own_may_be_made() -> None:
    app = Slow()

    def on_denied(_request: Request, decision: Decision) -> dict[str, str]:
        return {"by": decision.source}

    asked = limited(app, on_denied=on_denied)
    running = asyncio.create_task(run(asked, http()))
    await until_running(app, 1)
    start, body = await run(asked, http())
    assert (start["status"], json.loads(body["body"])) == (429, {"by": "memory"})
    running.cancel()


async def test_nobody_can_be_asked_and_the_policy_is_closed() -> None:
    STANDING.decide = None
    asked = limited(App(), sidecar="127.0.0.1:1", on_unreachable="closed")
    start, _ = await run(asked, http())
    assert start["status"] == 503
    assert dict(start["headers"])[b"sidegate-source"] == b"closed"
    await asked._close()


def test_a_client_without_slots_is_told_of_at_once() -> None:
    with pytest.raises(ValueError, match=r"client=.*: expected one with slot\(\)"):
        limited(App(), client=Checker())


@pytest.mark.parametrize("wrong", [0, -1, True, 1.5, "4", 1_000_001])
def test_what_can_be_no_number_in_flight_raises(wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"in_flight=.*expected a whole number from 1 to 1000000"):
        Rule("api", "1/second", in_flight=wrong)


async def test_who_gives_a_client_has_its_slots(memory: Memory) -> None:
    async with Client("memory") as client:
        app = Slow()
        running = asyncio.create_task(run(limited(app, client=client), http()))
        await until_running(app, 1)
        assert memory.slots.in_flight(KEY) == 1
        running.cancel()
