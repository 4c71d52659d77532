"""Starlette: a key may read the body of a request, which is there for the endpoint all the same."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
import trio
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from sidegate import Limiter
from sidegate.asgi.types import Message
from sidegate.testing import Memory
from tests.support.apps.limited import client_of, statuses
from tests.support.middleware.asgi_app import http

pytestmark = pytest.mark.usefixtures("sidegate")

LARGE = 200_000


async def user(request: Request) -> str:
    """Return who is named in the body."""
    return str((await request.json())["user"])


async def part(request: Request) -> str:
    """Read only the beginning of the body."""
    async for chunk in request.stream():
        return chunk[:1].decode()
    return ""


async def digest(request: Request) -> Response:
    """Tell what came."""
    body = await request.body()
    return JSONResponse([len(body), body[:20].decode("latin-1"), body[-1:].decode("latin-1")])


def limited(limiter: Limiter, key: Any = user, **options: Any) -> TestClient:
    async def view(request: Request) -> Response:
        return await digest(request)

    marked = limiter.limit("1/minute", key=key)(view)
    return client_of(limiter, Route("/x", marked, methods=["POST"]), **options)


def chunks() -> Iterator[bytes]:
    yield b'{"user": "a", "more": "'
    for _ in range(LARGE // 100):
        yield b"x" * 100
    yield b'"}'


def test_who_is_named_in_the_body_is_limited() -> None:
    client = limited(Limiter())
    for name, status in (("a", 200), ("b", 200), ("a", 429)):
        response = client.post("/x", json={"user": name})
        assert response.status_code == status
    assert client.post("/x", json={"user": "c"}).json() == [12, '{"user":"c"}', "}"]


class Passing(BaseHTTPMiddleware):
    """Sees each request."""

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        return await call_next(request)


class Reading(BaseHTTPMiddleware):
    """Reads the body before the route does."""

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        assert len(await request.body()) > LARGE
        return await call_next(request)


class Looking(BaseHTTPMiddleware):
    """Looks at the request of a limiter, which has no body yet."""

    limiter = Limiter()

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        assert self.limiter.current.request.url == request.url
        return await call_next(request)


@pytest.mark.parametrize("inside", [None, Passing, Reading, Looking])
@pytest.mark.parametrize("key", [user, part])
def test_large_bodies_in_parts_are_whole_for_the_endpoint(key: Any, inside: Any) -> None:
    middleware = [] if inside is None else [Middleware(inside)]
    limiter = Looking.limiter if inside is Looking else Limiter()
    client = limited(limiter, key, middleware=middleware)
    assert client.post("/x", content=chunks()).json() == [LARGE + 25, '{"user": "a", "more"', "}"]
    assert client.post("/x", content=chunks()).status_code == 429


def test_two_limiters_may_read_it_one_after_the_other() -> None:
    one, two = Limiter(), Limiter()

    @one.limit("9/minute", key=user)
    @two.limit("1/minute", key=user)
    async def view(request: Request) -> Response:
        return await digest(request)

    app = Starlette(routes=[Route("/x", view, methods=["POST"])])
    app.add_middleware(one.asgi)
    app.add_middleware(two.asgi)
    client = TestClient(app)
    assert client.post("/x", json={"user": "a"}).json()[0] == 12
    assert statuses(client, "/x", method="POST", json={"user": "a"}) == [429]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"user"', b"\xff", b"null"])
@pytest.mark.parametrize("policy", ["open", "closed"])
def test_a_body_that_names_nobody_is_decided_by_on_key_error(content: bytes, policy: str) -> None:
    client = limited(Limiter(on_key_error=policy))
    expected = 200 if policy == "open" else 503
    assert statuses(client, "/x", "/x", method="POST", content=content) == [expected] * 2


# --- clients that take their time

Sleep = Callable[[float], Awaitable[None]]
TIMEOUT = 0.05


async def slowly(app: Starlette, sleep: Sleep) -> int:
    """Send a body of which each part takes longer than a key may; return the status."""
    parts, sent = [b'{"user":', b'"a"', b"}"], list[Message]()

    async def receive() -> Message:
        await sleep(2 * TIMEOUT)
        return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts)}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(http("/x", "POST", query_string=b"", root_path=""), receive, send)
    return int(sent[0]["status"])


@pytest.mark.parametrize(("run", "sleep"), [(asyncio.run, asyncio.sleep), (trio.run, trio.sleep)])
def test_who_sends_slowly_does_not_get_past_the_limit(
    run: Any, sleep: Sleep, sidegate: Memory, caplog: pytest.LogCaptureFixture
) -> None:
    """A key has its time for itself: it stands still while the client sends."""
    limiter = Limiter(key_timeout=TIMEOUT)
    app = Starlette(
        routes=[Route("/x", limiter.limit("1/minute", key=user)(digest), methods=["POST"])]
    )
    app.add_middleware(limiter.asgi)

    async def twice() -> list[int]:
        return [await slowly(app, sleep) for _ in range(2)]

    assert run(twice) if run is trio.run else run(twice()) == [200, 429]
    assert len(sidegate.keys()) == 1
    assert "key_timeout" not in caplog.text


def test_a_key_that_is_slow_itself_is_cut_off(caplog: pytest.LogCaptureFixture) -> None:
    async def slow(request: Request) -> str:
        await request.body()
        await asyncio.Event().wait()
        return "never"

    client = limited(Limiter(key_timeout=TIMEOUT), slow)
    assert client.post("/x", json={"user": "a"}).status_code == 200
    assert "no answer within 0.05 s, the key_timeout" in caplog.text


async def test_a_client_that_is_gone_is_no_fault() -> None:
    """Who waits for the rest of its body is told, and the app sees the same."""
    seen: list[str] = []

    async def key(request: Request) -> str:
        try:
            return str(await request.body())
        finally:
            seen.append("key")

    async def view(request: Request) -> Response:
        seen.append("view")
        return PlainTextResponse(str(request.url.path))

    limiter = Limiter()
    marked = limiter.limit("1/minute", key=key)(view)
    app = Starlette(routes=[Route("/x", marked, methods=["POST"])])
    app.add_middleware(limiter.asgi)

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await app(http("/x", "POST", query_string=b"", root_path=""), receive, send)
    assert seen == ["key", "view"]
    assert sent[0]["status"] == 200


def test_a_client_that_hangs_up_is_charged(sidegate: Memory) -> None:
    """Whatever `charge_when` says of a crash, which this isn't."""
    limiter = Limiter()

    @limiter.limit("2/minute", scope="s", charge_when=lambda response: response.status_code < 500)
    async def hung_up(_: Request) -> Response:
        raise ClientDisconnect

    @limiter.limit("2/minute", scope="s", charge_when=lambda response: response.status_code < 500)
    async def crashed(_: Request) -> Response:
        raise RuntimeError

    routes = Route("/hung-up", hung_up), Route("/crashed", crashed)
    client = client_of(limiter, *routes, raising=False)
    for path, spent in (("/crashed", {}), ("/hung-up", {"2/minute": 1})):
        client.get(path)
        assert sidegate.spent("s:testclient") == spent
