"""Starlette: nobody gets past the limit of a route, fills memory or makes a 500."""

# A function of the request is one of any framework's, so lambdas have no types.
# pyright: reportUnknownLambdaType=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Host, Mount, Route, WebSocketRoute
from starlette.websockets import WebSocket

from sidegate import Limiter
from sidegate.asgi.types import Message, Scope
from sidegate.limiter.checks.enforcer import MAX_ROUTES
from sidegate.limiter.limits import applied as names
from sidegate.testing import Memory, isolated
from tests.support.middleware.asgi_app import http

LIMIT = 2


class Counting:
    """An app whose endpoints count how often they are called, each limited for all clients."""

    def __init__(self, **options: Any) -> None:
        self.calls = dict[str, int]()
        self.limiter = Limiter(key=lambda: "all", **options)
        inner = Starlette(routes=[Route("/deep", self.view("deep"), methods=["GET", "POST"])])
        endpoint = type("Endpoint", (HTTPEndpoint,), {"get": self.method("get")})
        self.app = Starlette(
            routes=[
                Route("/plain", self.view("plain")),
                Route("/any/{path:path}", self.view("any"), methods=["GET", "PUT"]),
                Route("/number/{number:int}", self.view("number")),
                Route("/class", endpoint),
                Mount("/inner", inner),
                Mount("/hidden", lambda *given: inner(*given)),  # noqa: PLW0108 - can't be seen
                Host("{any}.test", inner),
                WebSocketRoute("/plain", self.socket("socket")),
            ]
        )
        self.app.add_middleware(self.limiter.asgi)

    def view(self, name: str) -> Any:
        async def view(_: Request) -> Response:
            self.calls[name] = self.calls.get(name, 0) + 1
            return PlainTextResponse()

        return self.limiter.limit(f"{LIMIT}/day", scope=name)(view)

    def method(self, name: str) -> Any:
        async def view(_: HTTPEndpoint, __: Request) -> Response:
            self.calls[name] = self.calls.get(name, 0) + 1
            return PlainTextResponse()

        return self.limiter.limit(f"{LIMIT}/day", scope=name)(view)

    def socket(self, name: str) -> Any:
        async def socket(websocket: WebSocket) -> None:
            self.calls[name] = self.calls.get(name, 0) + 1
            await websocket.close()

        return self.limiter.limit(f"{LIMIT}/day", scope=name)(socket)

    async def ask(self, scope: Scope) -> int:
        """Send one request, and return its status; 0 for what is no response."""
        kind = "websocket.connect" if scope["type"] == "websocket" else "http.request"
        sent: list[Message] = []

        async def receive() -> Message:
            return {"type": kind}

        async def send(message: Message) -> None:
            sent.append(message)

        await self.app({"query_string": b"", "root_path": "", **scope}, receive, send)
        return int(sent[0].get("status", 0))


ROUTES = ["plain", "any", "number", "class", "inner", "hidden", "deep", "1", "01", "٣", "PLAIN"]
OTHERS = ["", ".", "..", "%2f", "/", "//", "\\", ";x=1", "?", "#", " ", "\0", "é", "İ", "\udc80"]
PIECES = [*ROUTES, *OTHERS, "x" * 500]
KNOWN = ["GET", "HEAD", "POST", "PUT", "OPTIONS", "TRACE"]
METHODS = [*KNOWN, "get", "Get", "QUERY", "", "GET ", "__init__", "X" * 5_000]

scopes = st.builds(
    lambda pieces, method, root, host, kind, preflight: {
        **http("/" + "/".join(pieces), method),
        "type": kind,
        "root_path": root,
        "headers": [
            (b"host", host),
            *(
                []
                if not preflight
                else [
                    (b"origin", b"https://x"),
                    (b"access-control-request-method", b"GET"),
                ]
            ),
        ],
    },
    st.lists(st.sampled_from(PIECES), max_size=4),
    st.sampled_from(METHODS),
    st.sampled_from(["", "", "/inner", "/", "/plain", "/any"]),
    st.sampled_from([b"a.test", b"b.test", b"x", b"", b"\xff", b"a.test:80"]),
    st.sampled_from(["http", "http", "http", "websocket"]),
    st.booleans(),
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(scopes, min_size=5, max_size=25))
async def test_however_it_is_asked_for_an_endpoint_is_called_as_often_as_its_limit_says(
    asked: list[Scope],
) -> None:
    """And whatever comes gets an answer."""
    with isolated():
        app = Counting()
        told = [await app.ask(scope) for scope in asked]
    assert {*told} <= {0, 200, 307, 400, 404, 405, 429}
    assert all(count <= LIMIT for count in app.calls.values()), app.calls


@pytest.mark.parametrize(
    ("name", "paths"),
    [
        ("plain", ["/plain"]),
        ("any", ["/any/", "/any//", "/any/../any", "/any/%2e", f"/any/{'x/' * 10_000}", "/any/\0"]),
        ("number", ["/number/1", "/number/2", "/number/001"]),
        ("deep", ["/inner/deep", "/hidden/deep"]),
    ],
)
async def test_all_spellings_that_lead_to_a_route_are_counted(
    name: str, paths: list[str], sidegate: Memory
) -> None:
    app = Counting()
    told = [await app.ask(http(path, method)) for path in paths * 3 for method in ("GET", "HEAD")]
    assert app.calls == {name: LIMIT}
    assert told.count(200) == LIMIT
    assert told.count(429) == len(told) - LIMIT
    assert [f"{name}:all"] == sidegate.keys()


async def test_paths_that_look_like_a_route_are_not_charged_to_it(sidegate: Memory) -> None:
    app = Counting()
    for path in ("/plain/", "/Plain", "/plain%20", "//plain", "/inner/plain", "/class/x"):
        assert await app.ask(http(path)) in {307, 404}
    assert sidegate.keys() == []


# --- memory


async def test_made_up_methods_and_paths_are_not_remembered(sidegate: Memory) -> None:
    """All methods that nobody has defined count as one."""
    app = Counting(default_limits="9999/day", default_limits_per_method=True)
    app.app.router.routes.insert(0, Route("/raw", app_of()))
    for at in range(300):
        assert await app.ask(http("/raw", f"METHOD{at}")) == 200
        assert await app.ask(http(f"/made/up/{at}")) == 404
    assert app.limiter._core.enforcer._limits.cache_info().currsize < 10
    assert len(sidegate.keys()) == 1


class Raw:
    """Is an endpoint that takes any method."""

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        await PlainTextResponse()(scope, receive, send)


def app_of() -> Raw:
    return Raw()


@pytest.mark.usefixtures("sidegate")
async def test_made_up_scopes_and_limits_are_forgotten() -> None:
    limiter = Limiter(key=lambda: "all")
    view = limiter.shared_limit(
        lambda request: f"{len(request.url.path) % 50 + 1}/day", lambda request: request.url.path
    )(lambda _: PlainTextResponse())
    app = Starlette(routes=[Route("/{path:path}", view)])
    app.add_middleware(limiter.asgi)
    counting = Counting()
    counting.app = app
    for at in range(200):
        assert await counting.ask(http(f"/{'x' * at}{at}")) == 200
    info = names._rule.cache_info()
    assert info.maxsize == names.MAX_RULES
    assert limiter._core.enforcer._limits.cache_info().maxsize == MAX_ROUTES


@pytest.mark.usefixtures("sidegate")
async def test_a_body_in_very_many_parts_is_read_in_a_moment() -> None:
    """Each part is passed on once: no list is moved for each."""
    count, limiter = 50_000, Limiter()

    async def key(request: Request) -> str:
        return str(len(await request.body()))

    async def view(request: Request) -> Response:
        return PlainTextResponse(str(len(await request.body())))

    marked = limiter.limit("1/day", key=key)(view)
    app = Starlette(routes=[Route("/x", marked, methods=["POST"])])
    app.add_middleware(limiter.asgi)

    async def parts() -> AsyncIterator[Message]:
        for at in range(count):
            yield {"type": "http.request", "body": b"x", "more_body": at < count - 1}

    given_parts, sent = parts(), list[Message]()

    async def receive() -> Message:
        return await anext(given_parts)

    async def send(message: Message) -> None:
        sent.append(message)

    await app(http("/x", "POST", query_string=b"", root_path=""), receive, send)
    assert (sent[0]["status"], sent[1]["body"]) == (200, str(count).encode())


# --- faults


@pytest.mark.usefixtures("sidegate")
@pytest.mark.parametrize("name", [b"x-user", b"content-type", b"accept", b"origin", b"host"])
@pytest.mark.parametrize("value", [b"", b"\xff\xfe", b"\r\n", b"x" * 100_000, b"\0", b"a, b"])
async def test_no_field_makes_a_500(name: bytes, value: bytes) -> None:
    app = Counting()
    app.limiter.limit("9/day", key=lambda request: request.headers.get("x-user", ""))
    told = [await app.ask(http("/plain", headers=[(name, value)] * 2)) for _ in range(3)]
    assert told == [200, 200, 429]


@pytest.mark.usefixtures("sidegate")
async def test_a_refusal_is_json_whatever_was_asked_for() -> None:
    app = Counting()
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request"}

    for _ in range(LIMIT + 1):
        sent.clear()
        scope = http('/any/"\\\u2028</script>', query_string=b"", root_path="")
        await app.app(scope, receive, send)
    assert sent[0]["status"] == 429
    assert json.loads(sent[1]["body"])["violated-policies"] == ["any"]
