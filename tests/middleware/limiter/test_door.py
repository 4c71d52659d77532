"""Around an app of no known framework the limits of the application are checked at its door."""

from typing import Any

import pytest
from flask import Flask
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import PlainTextResponse

from sidegate import Limiter, Request, Rule
from sidegate.testing import Memory
from tests.support.middleware.asgi_app import App, fields, http, run, status, websocket
from tests.support.middleware.wsgi_app import App as WsgiApp
from tests.support.middleware.wsgi_app import Response, environ


@pytest.fixture(autouse=True)
def _alone(sidegate: Memory) -> Memory:
    return sidegate


def ours(request: Request) -> str | None:
    """Be a key that needs no framework."""
    return request.peer


async def test_an_asgi_app_is_limited_at_its_door(sidegate: Memory) -> None:
    app = App()
    limited = Limiter("2/minute", key=ours, service="shop").asgi(app)
    assert [await status(limited, http()) for _ in range(3)] == [200, 200, 429]
    assert len(app.calls) == 2
    assert sidegate.keys() == ["shop/default:192.0.2.1"]
    assert b"ratelimit" in await fields(limited, http(peer="192.0.2.2"))


async def test_a_refusal_goes_out_through_cors_inside() -> None:
    inner = CORSMiddleware(PlainTextResponse("hello"), allow_origins=["*"])
    limited = Limiter("1/minute").asgi(inner)
    asked = http(headers=[(b"origin", b"https://page.test")])
    for expected in (200, 429):
        start, *_ = await run(limited, {**asked})
        assert start["status"] == expected
        assert (b"access-control-allow-origin", b"*") in start["headers"]


async def test_a_handshake_is_closed() -> None:
    limited = Limiter("1/minute").asgi(App(messages=({"type": "websocket.accept"},)))
    accepted = await run(limited, websocket(), "websocket.connect")
    assert accepted[0]["type"] == "websocket.accept"
    assert b"ratelimit" in dict(accepted[0]["headers"])
    closed = await run(limited, websocket(), "websocket.connect")
    assert closed == [{"type": "websocket.close", "code": 1008}]


async def test_a_lifespan_passes_and_rules_apply() -> None:
    limited = Limiter(rules=[Rule("api", "1/minute", path="/api/*")]).asgi(App())
    assert [await status(limited, http("/api/x")) for _ in range(2)] == [200, 429]
    assert [await status(limited, http("/x")) for _ in range(2)] == [200, 200]
    assert (await run(limited, {"type": "lifespan"}))[0]["type"] == "lifespan.shutdown.complete"


@pytest.mark.parametrize("wrap", ["asgi", "wsgi"])
async def test_limits_of_routes_that_do_nothing_there_are_told(
    wrap: str, caplog: pytest.LogCaptureFixture
) -> None:
    limiter = Limiter(default_limits="1/minute")
    if wrap == "asgi":
        limited = limiter.asgi(App())
        assert [await status(limited, http()) for _ in range(2)] == [200, 200]
    else:
        limiter.wsgi(WsgiApp())
    (said,) = caplog.records
    assert "do NOT apply" in said.getMessage()


@pytest.mark.parametrize("app", [None, 7, object(), App()])
def test_init_app_knows_its_frameworks(app: Any) -> None:
    with pytest.raises(ValueError, match=r"^app=.*expected an app of Flask, Quart, FastAPI"):
        Limiter("1/minute").init_app(app)


# --- WSGI


def test_a_wsgi_app_is_limited_at_its_door(sidegate: Memory) -> None:
    app = WsgiApp()
    limited = Limiter("2/minute", key=ours).wsgi(app)
    told = [Response(limited, environ()).status[:3] for _ in range(3)]
    assert (told, len(app.calls)) == (["200", "200", "429"], 2)
    assert sidegate.keys() == ["default:192.0.2.1"]


def test_an_app_in_it_knows_the_current_request() -> None:
    limiter, app = Limiter("5/minute"), Flask("app")

    @app.get("/x")
    def x() -> str:
        return f"{limiter.current.remaining} {limiter.current.path}"

    app.wsgi_app = limiter.wsgi(app.wsgi_app)  # type: ignore[method-assign]
    assert app.test_client().get("/x").text == "4 /x"
    assert limiter.current.remaining is None


async def later() -> str:
    """Has to be awaited."""
    return "x"


@pytest.mark.parametrize("option", ["limits", "key", "cost"])
def test_what_has_to_be_awaited_is_refused_in_wsgi(option: str) -> None:
    given: dict[str, Any] = {"limits": "1/minute"} | {option: later}
    with pytest.raises(ValueError, match="must be a plain function in WSGI"):
        Limiter(**given).wsgi(WsgiApp())


def test_a_filter_that_has_to_be_awaited_as_well() -> None:
    limiter = Limiter("1/minute")
    limiter.request_filter(later)
    with pytest.raises(ValueError, match="must be a plain function in WSGI"):
        limiter.wsgi(WsgiApp())
