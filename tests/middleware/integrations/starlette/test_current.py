"""Starlette: `limiter.current` is the request at hand, from wherever it is asked for."""

# A function of the request is one of any framework's, so lambdas have no types.
# pyright: reportUnknownLambdaType=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false

import asyncio
import logging
from collections.abc import AsyncIterator
from contextvars import copy_context
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.templating import Jinja2Templates
from starlette.testclient import TestClient

from sidegate import Current, Limiter, RateLimitExceeded
from sidegate.asgi.types import Message, Receive, Scope, Send
from tests.support.apps.limited import asking, client_of, statuses
from tests.support.middleware.asgi_app import http

pytestmark = pytest.mark.usefixtures("sidegate")

limiter = Limiter("5/minute")


def state(current: Current) -> list[Any]:
    """Return what is known of the present request."""
    return [current.limit, current.remaining, current.allowed, len(current.decisions)]


NOTHING = [None, None, True, 0]


def test_outside_of_a_request_there_is_nothing() -> None:
    current = limiter.current
    assert state(current) == NOTHING
    assert (current.retry_after, current.reset_after, current.decision) == (None, None, None)
    assert (current.request, current.method, current.path, current.fields) == (None, "", "", [])
    client_of(limiter, Route("/x", in_loop)).get("/x")
    assert state(limiter.current) == NOTHING


async def in_loop(request: Request) -> Response:
    current = limiter.current
    assert current.request.url == request.url
    assert current.view.path == request.url.path
    assert current.retry_after == 0.0
    return JSONResponse(state(current))


def in_thread(_: Request) -> Response:
    return JSONResponse(state(limiter.current))


async def in_task(_: Request) -> Response:
    async def known() -> list[Any]:
        return state(limiter.current)

    return JSONResponse(await asyncio.create_task(known()))


async def in_pool(_: Request) -> Response:
    return JSONResponse(await run_in_threadpool(lambda: state(limiter.current)))


@pytest.mark.parametrize("view", [in_loop, in_thread, in_task, in_pool])
def test_an_endpoint_knows_it(view: Any) -> None:
    marked = limiter.limit("2/minute", scope="two")(view)
    client = client_of(limiter, Route("/x", view))
    assert client.get("/x").json() == [2, 1, True, 2]
    assert client.get("/x").json() == [2, 0, True, 2]
    assert marked is view


async def test_requests_at_the_same_time_never_see_each_other() -> None:
    """Each has its own, though all of them are in the same place."""
    own, count = Limiter("99/minute", key=lambda request: request.url.path), 20
    met = asyncio.Barrier(count)

    async def view(_: Request) -> Response:
        before = own.current
        await met.wait()
        assert own.current is before
        in_pool = await run_in_threadpool(lambda: own.current)
        return JSONResponse([before.request.url.path, in_pool.path, own.current.remaining])

    app = Starlette(routes=[Route("/{x}", view)])
    app.add_middleware(own.asgi)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://x.test") as client:
        answers = await asyncio.gather(*(client.get(f"/{at}") for at in range(count)))
    assert [answer.json() for answer in answers] == [[f"/{at}"] * 2 + [98] for at in range(count)]


def test_background_tasks_and_streams_know_it() -> None:
    seen: list[Any] = []

    def note() -> None:
        seen.append(state(limiter.current))

    async def parts() -> AsyncIterator[str]:
        for _ in range(3):
            yield f"{limiter.current.remaining} "

    async def view(_: Request) -> Response:
        return StreamingResponse(parts(), background=BackgroundTask(note))

    response = client_of(limiter, Route("/x", view)).get("/x")
    assert (response.text, seen) == ("4 4 4 ", [[5, 4, True, 1]])
    assert "ratelimit" in response.headers


class Around(BaseHTTPMiddleware):
    """Sees a request before its route and afterwards."""

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        before = state(limiter.current)
        assert limiter.current.request.url == request.url
        response = await call_next(request)
        response.headers["x-seen"] = f"{before} {state(limiter.current)}"
        return response


def test_middleware_inside_sees_it_before_and_after() -> None:
    def view(_: Request) -> Response:
        return JSONResponse(state(limiter.current))

    client = client_of(limiter, Route("/x", view), middleware=[Middleware(Around)])
    assert client.get("/x").headers["x-seen"] == f"{NOTHING} [5, 4, True, 1]"
    # What is not found is checked as its response begins to be sent.
    assert client.get("/nothing").headers["x-seen"] == f"{NOTHING} {NOTHING}"


def test_handlers_of_exceptions_know_it() -> None:
    def refused(_: Request, __: Exception) -> Response:
        return JSONResponse([limiter.current.retry_after is not None, *state(limiter.current)], 429)

    async def failed(_: Request, __: Exception) -> Response:
        return JSONResponse(state(limiter.current), 418)

    async def view(_: Request) -> Response:
        raise LookupError

    client = client_of(
        limiter,
        Route("/x", view),
        exception_handlers={RateLimitExceeded: refused, LookupError: failed},
    )
    assert client.get("/x").json() == [5, 4, True, 1]
    assert statuses(client, *["/x"] * 4) == [418] * 4
    assert client.get("/x").json() == [True, 5, 0, False, 1]


def test_logs_may_tell_it() -> None:
    lines: list[str] = []

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(f"{record.getMessage()} {limiter.current.remaining}")

    log = logging.getLogger("tests.shop")
    log.addHandler(handler := Lines())

    def view(_: Request) -> Response:
        log.error("sold")
        return PlainTextResponse()

    try:
        client_of(limiter, Route("/x", view)).get("/x")
        log.error("closed")
    finally:
        log.removeHandler(handler)
    assert lines == ["sold 4", "closed None"]


def test_templates_may_show_it(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("{{ limiter.current.remaining }} left", "utf-8")
    templates = Jinja2Templates(tmp_path, context_processors=[lambda _: {"limiter": limiter}])

    def view(request: Request) -> Response:
        return templates.TemplateResponse(request, "page.html")

    assert client_of(limiter, Route("/x", view)).get("/x").text == "4 left"


def test_two_limiters_have_each_their_own() -> None:
    other = Limiter("9/minute", service="other")

    def view(_: Request) -> Response:
        return JSONResponse([limiter.current.limit, other.current.limit])

    app = Starlette(routes=[Route("/x", view)])
    app.add_middleware(other.asgi)
    response = asking(limiter, app).get("/x")
    assert response.json() == [5, 9]
    assert response.headers["ratelimit-policy"].count('"default"') == 2
    assert state(other.current) == NOTHING


async def test_an_app_that_asks_another_one_comes_back_to_its_own() -> None:
    """As one that is mounted, or a client in a test that is itself an app."""
    inner = Limiter("7/minute")
    inside = inner.asgi(PlainTextResponse("x"))

    async def view(scope: Scope, receive: Receive, send: Send) -> None:
        before = limiter.current
        await inside({**scope, "path": "/inner"}, receive, send)
        assert limiter.current is before
        assert inner.current.decision is None

    response = TestClient(limiter.asgi(view)).get("/x")
    assert response.status_code == 200


@pytest.mark.parametrize("limit", ["99/minute", "0/minute"])
@pytest.mark.parametrize("is_known", [True, False])
async def test_what_a_server_keeps_of_a_response_s_end_holds_no_request(
    limit: str, is_known: bool
) -> None:
    """It begins the next of a pipeline there, or waits for it, with the context variables."""
    guarded = Limiter(limit)
    inner: Any = Starlette() if is_known else PlainTextResponse("ok")
    kept: list[object] = []
    is_over: list[bool] = []

    async def ask_next(left: int) -> None:
        async def send(message: Message) -> None:
            if message["type"] == "http.response.body":
                is_over.append(not message.get("more_body", False))
                kept.extend(copy_context().values())
                if left:
                    await asyncio.create_task(ask_next(left - 1))

        await app(http(), asyncio.Event().wait, send)

    app: Any = guarded.asgi(inner)
    await ask_next(3)
    assert is_over == [True] * 4
    assert [each for each in kept if isinstance(each, Current)] == []


async def test_a_body_that_is_streamed_is_sent_in_its_request() -> None:
    """All but its end; and what the app does then is done in it again."""
    seen: list[int | None] = []
    sent: list[tuple[bytes, int | None]] = []

    async def view(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for part in (b"one", b"two", b""):
            await send({"type": "http.response.body", "body": part, "more_body": bool(part)})
            seen.append(limiter.current.remaining)

    async def send(message: Message) -> None:
        sent.append((message.get("body", b"start"), limiter.current.remaining))

    app: Any = limiter.asgi(view)
    await app(http(), asyncio.Event().wait, send)
    assert sent == [(b"start", 4), (b"one", 4), (b"two", 4), (b"", None)]
    assert seen == [4, 4, 4]
