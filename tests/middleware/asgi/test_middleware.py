"""The ASGI middleware, driven message by message."""

import asyncio
import json
from typing import Any

import pytest

from sidegate.asgi.middleware import RateLimitMiddleware
from sidegate.asgi.types import Message, Receive, Scope, Send
from sidegate.client.client import Client
from sidegate.http.keys import header
from sidegate.http.request.request import Request
from sidegate.http.rules import Rule
from tests.support.middleware.asgi_app import (
    BODY,
    SHUTDOWN,
    START,
    App,
    fields,
    http,
    limit,
    run,
    status,
    websocket,
)
from tests.support.middleware.checker import Checker, items

# --- answers


async def test_a_response_says_what_is_left() -> None:
    app, checker = App(), Checker()
    limited = limit(app, limits="10/minute", client=checker)
    start, body = await run(limited, scope := http())
    assert app.calls == [scope]
    assert start["status"] == 200
    assert start["headers"] == [
        (b"x-app", b"1"),
        (b"ratelimit-policy", b'"default";q=10;w=60'),
        (b"ratelimit", b'"default";r=9;t=6'),
    ]
    assert body is BODY
    assert checker.asked == [("default:192.0.2.1", "10/minute", 1)]


async def test_what_the_app_sends_is_copied_before_it_is_changed() -> None:
    """Its messages and lists may be constants: fields must not pile up in them."""
    limited = limit(App(), limits="10/minute")
    first, second = await run(limited, http()), await run(limited, http())
    assert len(first[0]["headers"]) == len(second[0]["headers"]) == 3
    assert START["headers"] == [(b"x-app", b"1")]


async def test_a_response_without_headers_gets_them() -> None:
    app = App(({"type": "http.response.start", "status": 204}, BODY))
    limited = limit(app, limits="10/minute")
    assert set(await fields(limited, http())) == {b"ratelimit-policy", b"ratelimit"}


# --- which requests, and whose


FORWARDED = [(b"x-forwarded-for", b"1.1.1.1"), (b"x-forwarded-for", b"2001:db8::1, 10.0.0.2")]


def first_forwarded(request: Request) -> str:
    return request.headers["x-forwarded-for"].partition(",")[0]


def user(request: Request) -> str:
    return str(request.raw["user"])


@pytest.mark.parametrize(
    ("options", "peer", "key"),
    [
        ({}, "192.0.2.1", "192.0.2.1"),
        ({}, "2001:db8:1::7", "2001:db8:1::/64"),
        ({}, None, "unknown"),
        ({}, "", "unknown"),
        ({}, "x" * 1000, None),
        ({"trusted_proxies": 2}, "10.0.0.1", "2001:db8::/64"),
        ({"trusted_proxies": 2}, None, "2001:db8::/64"),
        ({"trusted_proxies": 5}, "10.0.0.1", "10.0.0.1"),
        ({"trusted_proxies": ["10.0.0.0/8"]}, "10.0.0.1", "2001:db8::/64"),
        ({"trusted_proxies": ["10.0.0.0/8"]}, "192.0.2.1", "192.0.2.1"),
        ({"key": first_forwarded}, None, "1.1.1.1"),
        ({"key": user}, None, "ann"),
    ],
)
async def test_a_request_counts_by_its_identity(
    options: dict[str, Any], peer: str | None, key: str | None
) -> None:
    checker = Checker()
    limited = limit(App(), limits="10/minute", client=checker, **options)
    assert await status(limited, http(peer=peer, headers=FORWARDED, user="ann")) == 200
    ((asked, _, _),) = checker.asked
    assert asked == f"default:{key}" if key else len(asked) == len("default:sha256=") + 32


@pytest.mark.parametrize(("peer", "cached"), [("192.0.2.1", 1), ("x" * 65, 0)])
async def test_only_what_may_be_an_address_is_cached(peer: str, cached: int) -> None:
    """A server that believes X-Forwarded-For may give a text of any length as the peer."""
    limited = limit(App(), limits="10/minute")
    await run(limited, http(peer=peer))
    by_peer: Any = limited._limiter.rules[0].key_of_peer
    assert by_peer.cache_info().currsize == cached


async def ask_key(request: Request) -> str | None:
    await asyncio.sleep(0)
    return request.header("x-tenant") or None


async def ask_cost(request: Request) -> int:
    await asyncio.sleep(0)
    return int(request.header("x-cost"))


def read_key(request: Request) -> str:
    return request.header("x-tenant")


def read_cost(request: Request) -> int:
    return int(request.header("x-cost"))


def hidden_key(request: Request) -> Any:
    """Is no coroutine function, but what it returns must be awaited."""
    return ask_key(request)


def hidden_cost(request: Request) -> Any:
    return ask_cost(request)


@pytest.mark.parametrize(
    ("key", "cost"),
    [
        (ask_key, ask_cost),
        (read_key, read_cost),
        (hidden_key, hidden_cost),
        (header("x-none", missing=ask_key), ask_cost),
    ],
)
async def test_key_and_cost_may_be_functions_or_coroutine_functions(key: Any, cost: Any) -> None:
    checker = Checker()
    limited = limit(App(), limits="10/minute", key=key, cost=cost, client=checker)
    await run(limited, http(headers=[(b"x-tenant", b"ann"), (b"x-cost", b"3")]))
    await run(limited, http(headers=[(b"x-tenant", b"ann"), (b"x-cost", b"0")]))
    assert [(key.removeprefix("default:"), cost) for key, _, cost in checker.asked] == [
        ("ann", 3),
        ("ann", 0),
    ]


async def test_no_key_is_no_limit_and_asks_for_no_cost() -> None:
    checker = Checker()
    limited = limit(App(), limits="1/minute", key=ask_key, cost=ask_cost, client=checker)
    assert await run(limited, http()) == [START, BODY]
    assert checker.asked == []


# --- websockets

ACCEPT: Message = {"type": "websocket.accept", "subprotocol": "chat"}


async def test_an_accepted_handshake_says_what_is_left() -> None:
    limited = limit(App((ACCEPT,)), limits="10/minute")
    (accept,) = await run(limited, websocket())
    assert accept["subprotocol"] == "chat"
    assert items(dict(accept["headers"])[b"ratelimit"]) == {"default": {"r": 9, "t": 6}}


async def test_a_handshake_that_the_app_refuses_says_it_too() -> None:
    refusal: Message = {"type": "websocket.http.response.start", "status": 403, "headers": []}
    limited = limit(App((refusal,)), limits="10/minute")
    (start,) = await run(limited, websocket())
    assert b"ratelimit" in dict(start["headers"])


async def exhausted(app: App) -> RateLimitMiddleware:
    limited = limit(app, limits="1/minute")
    await run(limited, websocket())
    app.calls.clear()
    return limited


async def test_a_denied_handshake_is_answered_with_a_response_where_that_is_possible() -> None:
    limited = await exhausted(app := App((ACCEPT,)))
    scope = websocket(extensions={"websocket.http.response": {}})
    start, body = await run(limited, scope, "websocket.connect")
    assert (start["type"], start["status"]) == ("websocket.http.response.start", 429)
    assert dict(start["headers"])[b"retry-after"] == b"60"
    assert body["type"] == "websocket.http.response.body"
    assert json.loads(body["body"])["title"] == "Quota Exceeded"
    assert app.calls == []


@pytest.mark.parametrize("more", [{}, {"extensions": None}, {"extensions": {"tls": {}}}])
async def test_a_denied_handshake_is_closed_elsewhere(more: dict[str, Any]) -> None:
    limited = await exhausted(app := App((ACCEPT,)))
    sent = await run(limited, websocket(**more), "websocket.connect")
    assert sent == [{"type": "websocket.close", "code": 1008}]
    assert app.calls == []


async def test_a_denied_client_that_is_gone_gets_nothing() -> None:
    limited = await exhausted(App((ACCEPT,)))
    assert await run(limited, websocket(), "websocket.disconnect") == []


async def test_a_handshake_is_a_get() -> None:
    rules = [Rule("chat", "1/minute", path="/ws", methods=["GET"])]
    limited = limit(App((ACCEPT,)), rules=rules)
    (accept,) = await run(limited, websocket())
    assert b"ratelimit" in dict(accept["headers"])


# --- the client that it makes, and other scopes


@pytest.mark.parametrize("kind", ["lifespan", "something.else"])
async def test_other_scopes_pass(kind: str) -> None:
    app, checker = App((SHUTDOWN,)), Checker()
    limited = limit(app, limits="1/minute", client=checker)
    assert await run(limited, scope := {"type": kind}) == [SHUTDOWN]
    assert app.calls == [scope]
    assert app.calls[0] is scope
    assert checker.asked == []


NOWHERE = "unix:/nonexistent/sidegate.sock"


def dialling() -> set[asyncio.Task[Any]]:
    """Return what a client has under way: it tries to connect until it is closed."""
    return asyncio.all_tasks() - {asyncio.current_task()}


async def test_its_own_client_is_closed_before_the_shutdown_is_complete() -> None:
    """For the server may end the loop as soon as it hears that."""
    under_way: list[set[asyncio.Task[Any]]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await App()(scope, receive, send)

    async def receive() -> Message:
        return {}

    async def send(_: Message) -> None:
        under_way.append(dialling())

    limited = limit(app, limits="1/minute", sidecar=NOWHERE)
    assert (await fields(limited, http()))[b"sidegate-source"] == b"open"
    assert len(dialling()) == 1
    await limited({"type": "lifespan"}, receive, send)
    assert under_way == [set()]


async def test_a_client_that_was_never_used_needs_no_close() -> None:
    limited = limit(App(), limits="1/minute", sidecar=NOWHERE)
    assert await run(limited, {"type": "lifespan"}) == [SHUTDOWN]


async def test_a_given_client_is_not_closed() -> None:
    async with Client(NOWHERE) as client:
        limited = limit(App(), limits="1/minute", client=client)
        await run(limited, http())
        await run(limited, {"type": "lifespan"})
        assert len(dialling()) == 1


@pytest.mark.parametrize("closing", [True, False])
def test_one_client_serves_each_event_loop(closing: bool, caplog: pytest.LogCaptureFixture) -> None:
    """As under test clients, of which some run each request in a loop of its own."""
    limited = limit(App(), limits="1/minute", sidecar=NOWHERE)

    async def serve() -> list[bytes]:
        sources = [(await fields(limited, http()))[b"sidegate-source"] for _ in range(2)]
        if closing:
            await run(limited, {"type": "lifespan"})
        return sources

    assert [asyncio.run(serve()) for _ in range(2)] == [[b"open", b"open"]] * 2
    assert asyncio.run(run(limited, {"type": "lifespan"})) == [SHUTDOWN]
    assert ["not limiting" in record.getMessage() for record in caplog.records] == [True]
