"""FastAPI: limits by decorators, above or below the one that makes the route."""

import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request, Response, WebSocket
from fastapi.responses import JSONResponse, StreamingResponse
from fastapi.testclient import TestClient
from starlette.responses import PlainTextResponse
from starlette.websockets import WebSocketDisconnect

from sidegate import Limiter, RateLimitExceeded
from sidegate.testing import Memory
from tests.support.apps.limited import asking, statuses

pytestmark = pytest.mark.usefixtures("sidegate")

ONCE = [200, 429]


def limited(limiter: Limiter, app: FastAPI | None = None) -> tuple[FastAPI, TestClient]:
    """Return an app with a limiter, and a client of it."""
    app = app or FastAPI()
    return app, asking(limiter, app)


@pytest.mark.parametrize("above", [True, False])
@pytest.mark.parametrize("in_thread", [True, False])
def test_both_orders_of_decorators_limit_a_route(above: bool, in_thread: bool) -> None:
    """The function needs no argument for the request, and stays what it is."""
    limiter = Limiter()
    app, client = limited(limiter)
    limit, route = limiter.limit("1/minute"), app.get("/items/{item}")

    def plain(item: int, more: str = "") -> list[Any]:
        return [item, more, limiter.current.remaining]

    async def later(item: int, more: str = "") -> list[Any]:
        return plain(item, more)

    view: Callable[..., Any] = plain if in_thread else later
    made = limit(route(view)) if above else route(limit(view))
    assert made is view
    assert client.get("/items/7?more=x").json() == [7, "x", 0]
    assert client.get("/items/8").status_code == 429
    assert client.get("/openapi.json").json()["paths"].keys() == {"/items/{item}"}


def test_a_function_with_routes_for_two_methods_may_count_each() -> None:
    limiter = Limiter()
    app, client = limited(limiter)

    @app.get("/x")
    @app.post("/x")
    @limiter.limit("1/minute", per_method=True)
    @limiter.limit("3/minute", methods=["post"])
    async def x() -> None: ...

    assert statuses(client, "/x", "/x") == ONCE
    assert statuses(client, "/x", "/x", method="POST") == ONCE


def test_included_routers_are_limited_however_deep(sidegate: Memory) -> None:
    limiter = Limiter(default_limits="3/minute", service="shop")
    app, client = limited(limiter)
    inner, outer = APIRouter(prefix="/inner"), APIRouter(prefix="/outer")

    @inner.get("/one")
    @limiter.limit("1/minute")
    async def one() -> None: ...

    @inner.get("/rest")
    def rest() -> None: ...

    @inner.get("/free")
    @limiter.exempt
    def free() -> None: ...

    outer.include_router(inner, prefix="/more")
    app.include_router(outer, prefix="/v1")
    app.include_router(outer, prefix="/v2")
    paths = [f"/v{version}/outer/more/inner/" for version in (1, 2)]
    assert statuses(client, *(f"{path}one" for path in paths)) == ONCE
    assert statuses(client, *(f"{path}rest" for path in paths * 2)) == [200, 200, 200, 429]
    assert statuses(client, *(f"{path}free" for path in paths * 3)) == [200] * 6
    assert statuses(client, f"{paths[0]}one", method="POST") == [405]
    assert len(sidegate.keys()) == 2


class Shop:
    """Has its endpoints as methods."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.router = APIRouter(prefix=f"/{name}")
        self.router.add_api_route("/open", self.open)

    async def open(self) -> str:
        return self.name


def test_methods_of_objects_are_routes_of_their_own() -> None:
    app, client = limited(Limiter(default_limits="1/minute"))
    for name in "ab":
        app.include_router(Shop(name).router)
    assert statuses(client, "/a/open", "/b/open", "/a/open", "/b/open") == [200, 200, 429, 429]


def test_a_mounted_fastapi_is_limited_with_its_own_handlers() -> None:
    limiter = Limiter()
    app, client = limited(limiter)
    inner = FastAPI()

    @inner.get("/x")
    @limiter.limit("1/minute")
    def x() -> None: ...

    @inner.exception_handler(429)
    def own(_: Request, __: Exception) -> Response:
        return PlainTextResponse("inner", 429)

    app.mount("/a", inner)
    assert client.get("/a/x").status_code == 200
    assert client.get("/a/x").text == "inner"


@pytest.mark.parametrize("kind", [RateLimitExceeded, HTTPException, 429])
def test_handlers_of_the_app_answer(kind: Any) -> None:
    limiter = Limiter(default_limits="1/minute")
    app, client = limited(limiter)

    @app.exception_handler(kind)
    async def own(_: Request, error: RateLimitExceeded) -> Response:
        return JSONResponse({"own": error.detail}, error.status_code)

    @app.get("/x")
    def x() -> None: ...

    first, second = client.get("/x"), client.get("/x")
    assert (first.status_code, second.status_code) == (200, 429)
    assert second.json() == {"own": "The limit is 1/minute. Retry in 60 s."}
    assert second.headers["retry-after"] == "60"


def test_a_body_that_the_key_reads_is_there_for_the_endpoint() -> None:
    limiter = Limiter()
    app, client = limited(limiter)

    async def user(request: Request) -> str:
        return str((await request.json())["user"])

    @app.post("/login")
    @limiter.limit("1/minute", key=user)
    async def login(form: dict[str, str]) -> dict[str, str]:
        return form

    assert client.post("/login", json={"user": "a"}).json() == {"user": "a"}
    assert client.post("/login", json={"user": "b"}).json() == {"user": "b"}
    assert client.post("/login", json={"user": "a"}).status_code == 429


# --- charge_when


@pytest.mark.parametrize("stream", [True, False])
def test_charge_when_gives_back_what_a_response_does_not_cost(stream: bool) -> None:
    limiter = Limiter()
    app, client = limited(limiter)

    async def parts() -> AsyncIterator[str]:
        yield "x"

    @app.get("/x")
    @limiter.limit("2/minute", charge_when=lambda response: response.headers.get("X-Cost") == "1")
    async def x(cost: int) -> Response:
        headers = {"x-cost": str(cost)}
        return StreamingResponse(parts(), headers=headers) if stream else Response(headers=headers)

    assert statuses(client, *["/x?cost=0"] * 4, "/x?cost=1", "/x?cost=0", "/x?cost=1") == [200] * 7
    assert statuses(client, "/x?cost=0") == [429]


def test_errors_of_any_kind_can_be_free() -> None:
    """Those that the app has foreseen, those that it hasn't, and what FastAPI refuses itself."""
    limiter = Limiter()
    app = FastAPI()

    @app.get("/x")
    @limiter.limit("1/minute", charge_when=lambda response: response.status_code < 400)
    def x(kind: int) -> None:
        if kind == 1:
            raise HTTPException(404)
        if kind == 2:
            raise KeyError("own")

    client = asking(limiter, app, raising=False)
    paths = [f"/x?kind={kind}" for kind in ("1", "2", "no", "1", "2", "0", "0")]
    assert statuses(client, *paths) == [404, 500, 422, 404, 500, 200, 429]


def test_a_charge_when_that_fails_charges(caplog: pytest.LogCaptureFixture) -> None:
    limiter = Limiter()
    app, client = limited(limiter)

    @app.get("/x")
    @limiter.limit("1/minute", charge_when=lambda response: response.nothing)
    def x() -> None: ...

    assert statuses(client, "/x", "/x") == ONCE
    assert "charged" in caplog.text


# --- websockets


def test_websockets_of_included_routers_are_limited() -> None:
    limiter = Limiter()
    app, client = limited(limiter)
    router = APIRouter(prefix="/chat")

    @router.websocket("/ws")
    @limiter.limit("2/minute")
    async def ws(websocket: WebSocket) -> None:
        await websocket.accept()
        async for text in websocket.iter_text():
            await limiter.check_message(websocket)
            await websocket.send_text(text)

    app.include_router(router, prefix="/v1")
    with client.websocket_connect("/v1/chat/ws") as socket:
        for _ in range(2):
            socket.send_text("x")
            assert socket.receive_text() == "x"
        socket.send_text("x")
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_text()
    assert closed.value.code == 1008


@pytest.mark.parametrize("prefix", ["", "/v1"])
def test_a_dependency_limits_the_handshake(prefix: str) -> None:
    limiter = Limiter(default_limits="9/minute")
    app, client = limited(limiter)
    router = APIRouter(dependencies=[Depends(limiter.dep("1/minute"))])

    @router.websocket("/ws")
    async def ws(websocket: WebSocket) -> None:
        await websocket.accept()

    app.include_router(router, prefix=prefix)
    with client.websocket_connect(f"{prefix}/ws"):
        pass
    with pytest.raises(WebSocketDisconnect) as closed, client.websocket_connect(f"{prefix}/ws"):
        pytest.fail("it was accepted")
    assert closed.value.code == 1008


def test_what_a_route_depends_on_may_ask_for_the_current_request() -> None:
    limiter = Limiter(default_limits="3/minute")
    app, client = limited(limiter)

    def left() -> int | None:
        return limiter.current.remaining

    @app.get("/x")
    def x(before: Annotated[int | None, Depends(left)]) -> list[int | None]:
        return [before, left()]

    assert client.get("/x").json() == [2, 2]


def test_fastapi_may_be_imported_after_the_integration() -> None:
    """A handler of its HTTPException gets refusals all the same."""
    written = (
        "import sidegate.integrations.starlette, sys; assert 'fastapi' not in sys.modules\n"
        "from fastapi import FastAPI, HTTPException\n"
        "from fastapi.responses import PlainTextResponse\n"
        "from starlette.testclient import TestClient\n"
        "from sidegate import Limiter\n"
        "app = FastAPI(routes=[])\n"
        "app.add_api_route('/', Limiter(sidecar='memory').limit('1/minute')(lambda: 1))\n"
        "@app.exception_handler(HTTPException)\n"
        "async def handler(*_): return PlainTextResponse('mine')\n"
        "print([TestClient(app).get('/').text for _ in range(2)])\n"
    )
    asked = [sys.executable, "-W", "ignore", "-c", written]
    ran = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=True)
    assert ran.stdout.strip() == "['1', 'mine']"
