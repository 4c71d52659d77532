"""Requests: what is asked for them, how often, and where views are found."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI, Request, Response
from starlette.endpoints import HTTPEndpoint
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from sidegate.compat.slowapi import Limiter
from sidegate.compat.slowapi.util import get_ipaddr, get_remote_address
from tests.compat.slowapi.libraries import OURS, Bench, Clock
from tests.support.in_process.sidecar_double import SidecarDouble


@pytest.fixture
def bench(clock: Clock) -> Bench:
    return Bench(OURS, clock)


def statuses(bench: Bench, path: str, times: int, method: str = "GET", **headers: str) -> list[int]:
    return [answer.status for answer in bench.get(path, times, method, **headers)]


@pytest.mark.parametrize("is_async", [True, False])
def test_one_decision_serves_limits_and_fields(sidecar: SidecarDouble, *, is_async: bool) -> None:
    """Three limits of one key are one check, in one frame, and the fields cost nothing more."""
    here = {
        "storage_uri": sidecar.address.replace("unix:", "sidegate+unix://"),
        "strategy": "moving-window",
    }
    bench = Bench(OURS, Clock(0), options=here)
    limiter = bench.limiter(headers_enabled=True)
    rates = "9/second; 3 per minute; 100/hour"

    async def in_loop(request: Request) -> Response:
        return PlainTextResponse(request.url.path)

    def in_thread(request: Request) -> Response:
        return PlainTextResponse(request.url.path)

    view = limiter.limit(rates)(in_loop if is_async else in_thread)
    bench.app.get("/")(view)
    sidecar.forget()
    seen = bench.get("/", 3)
    assert (sidecar.asked, len(sidecar.frames)) == (3, 3)
    assert [answer.fields[:2] for answer in seen] == [(9, 8), (9, 7), (9, 6)]
    assert statuses(bench, "/", 1) == [429]
    assert sidecar.asked == 4


def test_limits_are_charged_all_or_none(bench: Bench) -> None:
    """In slowapi the first is charged by requests that the second refuses."""
    limiter = bench.limiter()

    @bench.app.get("/")
    @limiter.limit("4/hour")
    @limiter.limit("1/minute", key_func=lambda: "all")
    async def view(request: Request) -> str:
        return request.url.path

    assert statuses(bench, "/", 4) == [200, 429, 429, 429]
    bench.clock.advance(60)
    assert statuses(bench, "/", 1) == [200]
    assert limiter._storage.get("LIMITER/testclient///4/1/hour") == 2


def test_more_limits_than_fit_into_one_check(bench: Bench) -> None:
    """And one that is there twice is charged twice, as slowapi does."""
    limiter = bench.limiter()
    many = "; ".join(f"{number}/{number} hours" for number in range(3, 13))

    @bench.app.get("/many")
    @limiter.limit(many)
    async def view(request: Request) -> str:
        return request.url.path

    @bench.app.get("/twice")
    @limiter.limit("4/minute")
    @limiter.limit("4/minute")
    async def twice(request: Request) -> str:
        return request.url.path

    assert statuses(bench, "/many", 4) == [200, 200, 200, 429]
    assert statuses(bench, "/twice", 3) == [200, 200, 429]


def test_a_refusal_by_a_bucket_says_when_the_next_token_comes(bench: Bench) -> None:
    bench.limiter(headers_enabled=True, default_limits=["5/minute"], strategy="moving-window")

    @bench.app.get("/")
    async def view() -> None: ...

    *_, last, refused = [answer.fields for answer in bench.get("/", 6)]
    now = bench.clock.now
    assert (last, refused) == ((5, 0, now + 61, 61), (5, 0, now + 13, 13))


def test_a_part_of_a_token_costs_a_whole_one(bench: Bench) -> None:
    limiter = bench.limiter()

    @bench.app.get("/")
    @limiter.limit("9/minute", cost=4.5)
    async def view(request: Request) -> str:
        return request.url.path

    assert statuses(bench, "/", 2) == [200, 429]


def test_a_view_tells_of_its_own_limits_not_of_those_before(bench: Bench) -> None:
    """A view whose limit is a function has the default ones too, which are checked first."""
    limiter = bench.limiter(headers_enabled=True, default_limits=["9/hour"])

    @bench.app.get("/")
    @limiter.limit(lambda: "5/minute")
    async def view(request: Request) -> Response:
        request.state.view_rate_limit = None
        return PlainTextResponse(request.url.path)

    assert bench.get("/")[0].fields == (None,) * 4


def test_views_of_one_name_are_told_apart(bench: Bench) -> None:
    """In slowapi each has the limits of both."""
    limiter = bench.limiter()

    def made(text: str) -> Callable[..., Any]:
        @limiter.limit(text)
        async def view(request: Request) -> str:
            return request.url.path

        return view

    bench.app.get("/one")(made("1/minute"))
    bench.app.get("/three")(made("3/minute"))
    assert statuses(bench, "/one", 2) == [200, 429]
    assert statuses(bench, "/three", 4) == [200, 200, 200, 429]


@pytest.mark.parametrize("middleware", ["SlowAPIMiddleware", "SlowAPIASGIMiddleware"])
def test_views_are_found_wherever_they_are(middleware: str, clock: Clock) -> None:
    """Behind include_router, also twice, behind mounts, and as classes; slowapi limits none."""
    bench = Bench(OURS, clock, middleware)
    bench.limiter(default_limits=["1/minute"], application_limits=["100/minute"])
    inner, outer = APIRouter(), APIRouter()

    @inner.get("/items/{item}")
    async def items(item: str) -> str:
        return item

    class Page(HTTPEndpoint):
        async def get(self, request: Request) -> Response:
            return PlainTextResponse(request.url.path)

    outer.include_router(inner, prefix="/inner")
    outer.routes.append(Route("/page", Page))
    bench.app.include_router(outer, prefix="/v1")
    bench.app.router.routes.append(Mount("/m", routes=[Route("/page", Page)]))
    for path in ("/v1/inner/items/1", "/v1/page", "/m/page"):
        assert statuses(bench, path, 2) == [200, 429], path
    assert statuses(bench, "/v1/nowhere", 2) == [404, 404]


def test_exempt_views_behind_a_router(bench: Bench) -> None:
    limiter = bench.limiter(default_limits=["1/minute"])
    router = APIRouter()

    @router.get("/free")
    @limiter.exempt
    async def free() -> str:
        return "free"

    bench.app.include_router(router)
    assert statuses(bench, "/free", 3) == [200] * 3


def test_a_handler_of_the_app_for_refusals_of_the_middleware(clock: Clock) -> None:
    """It may be a coroutine function with either middleware; in slowapi with one of them."""
    bench = Bench(OURS, clock)

    async def slow_down(_request: Request, error: Any) -> Response:
        await asyncio.sleep(0)
        return PlainTextResponse(error.detail, 429)

    bench.limiter(slow_down, default_limits=["1/minute"])

    @bench.app.get("/")
    async def view() -> None: ...

    assert [answer.body for answer in bench.get("/", 2)] == [None, "1 per 1 minute"]


def test_errors_of_the_app_are_swallowed_if_they_are_to_be(bench: Bench) -> None:
    def broken() -> str:
        raise LookupError("no key")

    limiter = bench.limiter(key_func=broken, swallow_errors=True, headers_enabled=True)

    @bench.app.get("/")
    @limiter.limit("1/minute")
    async def view(request: Request, response: Response) -> str:
        return f"{request.url.path}{response.status_code}"

    assert statuses(bench, "/", 2) == [200, 200]
    limiter._swallow_errors = False
    assert statuses(bench, "/", 1) == [500]


@pytest.mark.parametrize("cost", [-1, float("nan"), float("inf"), "2"])
def test_a_cost_that_is_none_is_named(
    bench: Bench, cost: Any, caplog: pytest.LogCaptureFixture
) -> None:
    limiter = bench.limiter(swallow_errors=True)

    def asked(_request: Request) -> Any:
        return cost

    @bench.app.get("/")
    @limiter.limit("1/minute", cost=asked)
    async def view(request: Request) -> str:
        return request.url.path

    assert statuses(bench, "/", 1) == [200]
    assert f"cost={cost!r}: expected a number from 0 up" in caplog.text


def test_who_has_no_key_is_not_limited(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    limiter = bench.limiter(key_func=lambda: "")

    @bench.app.get("/")
    @limiter.limit("1/minute")
    async def view(request: Request) -> str:
        return request.url.path

    assert statuses(bench, "/", 3) == [200] * 3
    assert "Skipping limit: 1 per 1 minute. Empty value found in parameters." in caplog.text


def test_what_clients_make_up_stays_in_one_line_of_the_log(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    key = "a\nCRITICAL root: " + "x" * 5_000
    limiter = bench.limiter(key_func=lambda: key)

    @bench.app.get("/")
    @limiter.limit("1/minute")
    async def view(request: Request) -> str:
        return request.url.path

    with caplog.at_level(logging.WARNING, "slowapi"):
        assert statuses(bench, "/", 2) == [200, 429]
    (line,) = [it.getMessage() for it in caplog.records if it.name == "slowapi"]
    assert line.startswith("ratelimit 1 per 1 minute ('a\\nCRITICAL")
    assert len(line) < 600
    assert "\n" not in line


def test_addresses() -> None:
    scope = {
        "type": "http",
        "client": ("10.0.0.1", 1),
        "headers": [(b"x_forwarded_for", b"1.2.3.4")],
    }
    request, nobody = Request(scope), Request({"type": "http", "headers": []})
    assert (get_remote_address(request), get_ipaddr(request)) == ("10.0.0.1", "1.2.3.4")
    assert (get_remote_address(nobody), get_ipaddr(nobody)) == ("127.0.0.1", "127.0.0.1")


def test_refused_without_a_handler_it_is_an_http_exception() -> None:
    limiter, app = Limiter(get_remote_address), FastAPI()
    bench = Bench(OURS, Clock(0), app=app)
    app.state.limiter = limiter

    @app.get("/")
    @limiter.limit("1/day")
    async def view(request: Request) -> str:
        return request.url.path

    assert [answer.body for answer in bench.get("/", 2)] == ["/", {"detail": "1 per 1 day"}]
