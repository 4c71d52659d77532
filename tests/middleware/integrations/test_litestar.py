"""Litestar: a plugin limits its handlers, and the app's own error handlers answer."""

from typing import Any

import pytest
from litestar import (
    Controller,
    Litestar,
    Request,
    Response,
    WebSocket,
    get,
    post,
    websocket,
    websocket_listener,
)
from litestar.exceptions import HTTPException, WebSocketDisconnect
from litestar.handlers import WebsocketListener
from litestar.params import FromPath, FromQuery, JSONBody
from litestar.testing import TestClient

from sidegate import Limiter, RateLimitExceeded
from sidegate.integrations.litestar import LimiterPlugin
from sidegate.testing import Memory

pytestmark = pytest.mark.usefixtures("sidegate")


def client_of(limiter: Limiter, *handlers: Any, **options: Any) -> TestClient[Litestar]:
    """Return a client of an app with these handlers."""
    plugins = [LimiterPlugin(limiter)]
    return TestClient(Litestar(handlers, plugins=plugins, logging_config=None, **options))


def statuses(client: TestClient[Litestar], path: str, count: int, **options: Any) -> list[int]:
    return [client.get(path, **options).status_code for _ in range(count)]


@pytest.mark.parametrize("above", [True, False], ids=["above", "below"])
def test_a_decorator_stands_above_or_below_the_handlers(above: bool) -> None:
    limiter = Limiter("100/minute")
    limited = limiter.limit("2/minute; 20/hour")

    async def view() -> dict[str, Any]:
        return {"left": limiter.current.remaining}

    handler: Any = limited(get("/a")(view)) if above else get("/a")(limited(view))
    client = client_of(limiter, handler)
    answers = [client.get("/a") for _ in range(3)]
    assert [each.status_code for each in answers] == [200, 200, 429]
    assert answers[0].json() == {"left": 1}
    assert '"view 2/minute";q=2' in answers[0].headers["ratelimit-policy"]
    assert answers[2].headers["retry-after"] == "30"
    assert answers[2].headers["content-type"] == "application/problem+json"
    assert answers[2].json()["violated-policies"] == ["view 2/minute"]


def test_each_handler_counts_for_itself_whatever_its_path_says(sidegate: Memory) -> None:
    limiter = Limiter(default_limits="2/minute")

    @get("/items/{item:int}", sync_to_thread=False)
    def item(item: FromPath[int]) -> int:
        return item

    @get("/free")
    @limiter.exempt
    async def free() -> int:
        return 1

    client = client_of(limiter, item, free)
    assert [client.get(f"/items/{at}").status_code for at in range(3)] == [200, 200, 429]
    assert statuses(client, "/free", 4) == [200] * 4
    assert len(sidegate.keys()) == 1


def test_a_controller_and_its_methods_have_limits() -> None:
    limiter = Limiter()

    @limiter.limit("2/minute")
    class Items(Controller):
        path = "/items"

        @get()
        async def all(self) -> int:
            return 1

        @post()
        @limiter.limit("1/minute")
        async def create(self) -> int:
            return 1

    client = client_of(limiter, Items)
    assert statuses(client, "/items", 3) == [200, 200, 429]
    assert [client.post("/items").status_code for _ in range(2)] == [201, 429]


def test_a_key_reads_the_body_and_the_handler_does_too() -> None:
    limiter = Limiter()

    async def user(request: Request[Any, Any, Any]) -> str:
        return str((await request.json())["user"])

    @post("/login")
    @limiter.limit("1/minute", key=user)
    async def login(data: JSONBody[dict[str, str]]) -> dict[str, str]:
        return data

    client = client_of(limiter, login)
    answers = [client.post("/login", json={"user": who}) for who in ("anna", "anna", "bob")]
    assert [each.status_code for each in answers] == [201, 429, 201]
    assert answers[2].json() == {"user": "bob"}


@pytest.mark.parametrize("kind", [RateLimitExceeded, HTTPException, 429])
def test_the_apps_own_handler_answers(kind: Any) -> None:
    limiter = Limiter("1/minute")

    def own(_: Request[Any, Any, Any], error: Any) -> Response[Any]:
        return Response({"why": error.detail}, status_code=error.status_code)

    @get("/")
    async def view() -> int:
        return 1

    client = client_of(limiter, view, exception_handlers={kind: own})
    assert client.get("/").status_code == 200
    refused = client.get("/")
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "60")
    assert refused.json() == {"why": "The limit is 1/minute. Retry in 60 s."}


def test_a_charge_depends_on_the_response() -> None:
    limiter = Limiter()

    @get("/")
    @limiter.limit("1/minute", charge_when=lambda response: response.status_code == 404)
    async def view(found: FromQuery[bool]) -> int:
        if not found:
            raise HTTPException(status_code=404)
        return 1

    client = client_of(limiter, view)
    assert statuses(client, "/?found=true", 3) == [200] * 3
    assert statuses(client, "/?found=false", 2) == [404, 429]


def test_a_websocket_is_limited_at_its_handshake() -> None:
    limiter = Limiter()

    @websocket("/ws")
    @limiter.limit("1/minute")
    async def talk(socket: WebSocket[Any, Any, Any]) -> None:
        await socket.accept()
        await socket.send_text("hello")
        await socket.close()

    client = client_of(limiter, talk)
    with client.websocket_connect("/ws") as socket:
        assert socket.receive_text() == "hello"
    with pytest.raises(WebSocketDisconnect) as refused, client.websocket_connect("/ws"):
        pass
    assert refused.value.code == 1008


def test_each_message_of_a_websocket_is_charged() -> None:
    limiter = Limiter()

    @websocket("/ws")
    @limiter.limit("2/minute")
    async def talk(socket: WebSocket[Any, Any, Any]) -> None:
        await socket.accept()
        while True:
            text = await socket.receive_text()
            await limiter.check_message(socket)
            await socket.send_text(text)

    client = client_of(limiter, talk)
    with client.websocket_connect("/ws") as socket:
        for text in ("a", "b"):
            socket.send_text(text)
            assert socket.receive_text() == text
        socket.send_text("c")
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_text()
    assert closed.value.code == 1008


def test_around_the_app_paths_that_are_not_found_count_too() -> None:
    limiter = Limiter("2/minute")

    @get("/")
    async def view() -> int:
        return 1

    inner: Any = Litestar([view], plugins=[LimiterPlugin(limiter)], logging_config=None)
    app: Any = limiter.asgi(inner)
    client = TestClient(app)
    answers = [client.get(path).status_code for path in ("/", "/nowhere", "/nowhere", "/")]
    assert answers == [200, 404, 429, 429]


def test_what_is_no_limiter_is_named() -> None:
    with pytest.raises(ValueError, match="limiter='100/minute': expected a Limiter"):
        LimiterPlugin("100/minute")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # on purpose


@pytest.mark.parametrize("above", [True, False], ids=["above", "below"])
def test_a_handler_that_runs_in_a_thread_has_its_own_limits(above: bool) -> None:
    """Litestar puts its function into an object that is the same for all of them."""
    limiter = Limiter(default_limits="3/minute")
    limited = limiter.limit("2/minute")

    def view() -> int:
        return 1

    def other() -> int:
        return 1

    def free_view() -> int:
        return 1

    route = get("/a", sync_to_thread=True)
    handler: Any = limited(route(view)) if above else route(limited(view))
    free: Any = get("/free", sync_to_thread=True)(limiter.exempt(free_view))
    client = client_of(limiter, handler, get("/b", sync_to_thread=True)(other), free)
    assert statuses(client, "/a", 3) == [200, 200, 429]
    assert statuses(client, "/b", 4) == [200, 200, 200, 429]
    assert statuses(client, "/free", 5) == [200] * 5


def test_handlers_that_controllers_inherit_count_in_each() -> None:
    limiter = Limiter()

    class Items(Controller):
        @get(sync_to_thread=True)
        def listed(self) -> int:
            return 1

    @limiter.limit("2/minute")
    class Old(Items):
        path = "/old"

    @limiter.limit("1/minute")
    class New(Items):
        path = "/new"

    client = client_of(limiter, Old, New)
    assert statuses(client, "/old", 3) == [200, 200, 429]
    assert statuses(client, "/new", 2) == [200, 429]


def test_handlers_of_one_factory_count_for_themselves() -> None:
    limiter = Limiter(default_limits="1/minute")

    def handler(path: str) -> Any:
        @get(path)
        async def made() -> int:
            return 1

        return made

    client = client_of(limiter, handler("/a"), handler("/b"))
    assert statuses(client, "/a", 2) == [200, 429]
    assert statuses(client, "/b", 2) == [200, 429]


@pytest.mark.parametrize("kind", ["above", "below", "class"])
@pytest.mark.parametrize("is_sync", [True, False])
def test_a_listener_is_limited_at_its_handshake(kind: str, is_sync: bool) -> None:
    limiter = Limiter()
    limited = limiter.limit("1/minute")

    async def later(data: str) -> str:
        return data

    def echo(data: str) -> str:
        return data

    class Listener(WebsocketListener):
        path = "/"

        async def on_receive(self, data: str) -> str:  # pyright: ignore[reportIncompatibleMethodOverride]  # as Litestar documents
            return data

    route, function = websocket_listener("/"), echo if is_sync else later
    handler: Any = limited(route(function)) if kind == "above" else route(limited(function))
    client = client_of(limiter, limited(Listener) if kind == "class" else handler)
    with client.websocket_connect("/") as socket:
        socket.send_text("a")
        assert socket.receive_text() == "a"
    with pytest.raises(WebSocketDisconnect), client.websocket_connect("/"):
        pass


def test_what_one_limiter_refuses_is_not_charged_by_another(sidegate: Memory) -> None:
    few, many = Limiter("1/minute", service="few"), Limiter("9/minute", service="many")

    @get("/")
    async def view() -> int:
        return 1

    plugins = [LimiterPlugin(many), LimiterPlugin(few)]
    client = TestClient(Litestar([view], plugins=plugins, logging_config=None))
    assert statuses(client, "/", 3) == [200, 429, 429]
    assert sidegate.spent("many/default:testclient") == {"9/minute": 1}
