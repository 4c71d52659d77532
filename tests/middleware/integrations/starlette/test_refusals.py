"""Starlette: a refusal is answered by the app's own error handling, inside of its middleware."""

# A function of the request is one of any framework's, so lambdas have no types.
# pyright: reportUnknownLambdaType=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false

import json
from typing import Any

import http_sf
import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

from sidegate import Decision, Limiter, RateLimitExceeded, Rule, Source, header
from sidegate.testing import Memory
from tests.support.apps.limited import asking, client_of, hello, statuses, views
from tests.support.middleware.checker import Checker, items

pytestmark = pytest.mark.usefixtures("sidegate")

ORIGIN = {"origin": "https://page.test"}
PREFLIGHT = ORIGIN | {"access-control-request-method": "POST"}
ALLOWED = "access-control-allow-origin"


def refused(limiter: Limiter, path: str = "/x", **options: Any) -> Any:
    """Return the second response of an app in which only one is let through."""
    client = client_of(limiter, Route("/x", hello), **options)
    assert client.get(path).status_code in {200, 404}
    return client.get(path)


# --- handlers


def own(request: Request, error: Exception) -> Response:
    assert isinstance(error, RateLimitExceeded)
    told = {"wait": error.retry_after, "path": request.url.path, "detail": error.detail}
    return JSONResponse(told, error.status_code, error.headers)


async def http_handler(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return PlainTextResponse(f"own {error.detail}", error.status_code)


class Handler:
    """Is a handler, though not a function."""

    def __call__(self, request: Request, error: Exception) -> Response:
        return own(request, error)


@pytest.mark.parametrize(
    ("on", "handler"),
    [
        *[(RateLimitExceeded, own), (429, own), (HTTPException, http_handler), (429, Handler())],
        (RateLimitExceeded, Handler().__call__),
    ],
)
def test_a_handler_of_the_app_answers(on: Any, handler: Any) -> None:
    """What it leaves out of the fields is added, and nothing is said twice."""
    response = refused(Limiter(default_limits="1/minute"), exception_handlers={on: handler})
    assert response.status_code == 429
    assert "The limit is 1/minute. Retry in 60 s." in response.text
    assert "own" in response.text or response.json()["path"] == "/x"
    for field in ("ratelimit", "ratelimit-policy", "retry-after"):
        assert len(response.headers.get_list(field)) == 1


@pytest.mark.parametrize("handlers", [{}, {404: http_handler}, {503: http_handler}])
def test_the_usual_response_goes_out_without_one(handlers: Any) -> None:
    response = refused(Limiter(default_limits="1/minute"), exception_handlers=handlers)
    assert response.status_code == 429
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["status"] == 429
    assert response.headers["cache-control"] == "no-store"


def test_handlers_of_a_mounted_app_are_those_of_its_routes() -> None:
    limiter = Limiter(default_limits="1/minute")
    inner = Starlette(routes=[Route("/x", hello)], exception_handlers={RateLimitExceeded: own})
    client = client_of(limiter, Mount("/a", inner), Route("/y", lambda _: PlainTextResponse()))
    assert statuses(client, "/a/x", "/y") == [200, 200]
    assert client.get("/a/x").json()["path"] == "/a/x"
    assert client.get("/y").json()["title"] == "Quota Exceeded"


def test_a_handler_that_fails_is_the_app_s_own_fault() -> None:
    def fails(_: Request, __: Exception) -> Response:
        raise KeyError("own")

    limiter = Limiter(default_limits="1/minute")
    app = Starlette(routes=[Route("/x", hello)], exception_handlers={429: fails})
    assert statuses(asking(limiter, app, raising=False), "/x", "/x") == [200, 500]


def test_the_exception_says_all_that_is_known() -> None:
    seen: list[RateLimitExceeded] = []

    def keep(_: Request, error: Exception) -> Response:
        assert isinstance(error, RateLimitExceeded)
        seen.append(error)
        return PlainTextResponse("no", 429)

    refused(Limiter(default_limits="1/minute"), exception_handlers={RateLimitExceeded: keep})
    (error,) = seen
    assert (error.status_code, error.decision.allowed) == (429, False)
    assert 0 < error.retry_after <= 60
    assert str(error) == error.detail == "The limit is 1/minute. Retry in 60 s."
    assert {*error.headers} == {"ratelimit-policy", "ratelimit", "retry-after", "sidegate-source"}
    assert json.loads(error.body)["detail"] == error.detail


# --- on_denied, error_message


def test_on_denied_makes_the_body_and_a_limit_s_own_comes_first() -> None:
    def denied(request: Request, decision: Decision) -> dict[str, Any]:
        return {"path": request.url.path, "limit": decision.limit}

    def shorter(request: Request, _: Decision) -> str:
        return request.method

    limiter = Limiter("3/minute", on_denied=denied, default_limits="1/minute")
    marked = limiter.limit("1/minute", on_denied=shorter)(lambda _: PlainTextResponse())
    client = client_of(limiter, Route("/x", hello), Route("/y", marked))
    assert statuses(client, "/x", "/y") == [200, 200]
    assert client.get("/x").json() == {"path": "/x", "limit": 1}
    assert client.get("/y").text == "GET"
    assert client.get("/nothing").status_code == 404
    assert client.get("/nothing").json() == {"path": "/nothing", "limit": 3}


@pytest.mark.parametrize(
    "message", ["slow down", lambda: "slow down", lambda r: f"slow {r.url.path[1:]}own"]
)
def test_an_error_message_is_the_detail(message: Any) -> None:
    limiter = Limiter()
    marked = limiter.limit("1/minute", error_message=message)(lambda _: PlainTextResponse())
    client = client_of(limiter, Route("/d", marked))
    assert client.get("/d").status_code == 200
    told = client.get("/d").json()
    assert (told["detail"], told["status"]) == ("slow down", 429)


def fails(_: Any) -> str:
    raise KeyError("own")


@pytest.mark.parametrize("wrong", [fails, lambda _: 7, lambda _: object()])
@pytest.mark.parametrize("option", ["error_message", "on_denied"])
def test_one_that_fails_has_the_usual_form_and_is_logged(
    option: str, wrong: Any, caplog: pytest.LogCaptureFixture
) -> None:
    options: Any = {option: (lambda r, _: wrong(r)) if option == "on_denied" else wrong}
    limiter = Limiter()
    marked = limiter.limit("1/minute", **options)(lambda _: PlainTextResponse())
    client = client_of(limiter, Route("/d", marked))
    assert statuses(client, "/d", "/d") == [200, 429]
    assert client.get("/d").json()["detail"] == "The limit is 1/minute. Retry in 60 s."
    assert "refused in the usual form" in caplog.text


# --- fields


@pytest.mark.parametrize(
    ("headers", "draft", "legacy"),
    [("draft", 1, 0), ("legacy", 0, 1), ("both", 1, 1), (None, 0, 0), (False, 0, 0), (True, 1, 0)],
)
def test_headers_say_it_in_the_form_that_is_asked_for(
    headers: Any, draft: int, legacy: int
) -> None:
    """Whatever becomes of the request, each limit is in the response once."""
    limiter = Limiter("3/minute", default_limits="2/minute", headers=headers, expose_source=False)
    client = client_of(limiter, Route("/x", hello))
    for path, status in zip(["/x", "/x", "/x", "/", "/"], [200, 200, 429, 404, 429], strict=True):
        response = client.get(path)
        assert response.status_code == status
        told = response.headers.get("ratelimit-policy", "").encode()
        assert bool(items(told)) is bool(draft)
        for field in ("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"):
            assert len(response.headers.get_list(field)) == legacy
        assert "sidegate-source" not in response.headers
        assert ("retry-after" in response.headers) is (status == 429)


def test_fields_are_those_of_all_limits_and_legacy_ones_of_the_tightest() -> None:
    limiter = Limiter("100/minute", headers="both")
    marked = limiter.limit("5/minute; 40/hour")(views(1)[0])
    response = client_of(limiter, Route("/x", marked)).get("/x")
    policies = items(response.headers["ratelimit-policy"])
    assert [policy["q"] for policy in policies.values()] == [100, 5, 40]
    assert {*items(response.headers["ratelimit"])} == {*policies}
    assert response.headers["x-ratelimit-limit"] == "5"
    assert http_sf.parse(response.headers["ratelimit"].encode(), tltype="list")
    assert response.headers.get_list("sidegate-source") == ["memory"]


# --- CORS


def with_cors(limiter: Limiter, *, inside: bool) -> TestClient:
    app = Starlette(routes=[Route("/x", hello, methods=["GET", "POST"])])
    layers: list[tuple[Any, dict[str, Any]]] = [
        (CORSMiddleware, {"allow_origins": [ORIGIN["origin"]], "allow_methods": ["*"]}),
        (limiter.asgi, {}),
    ]
    for layer, options in layers if inside else reversed(layers):
        app.add_middleware(layer, **options)
    return TestClient(app)


@pytest.mark.parametrize("inside", [True, False])
@pytest.mark.parametrize("path", ["/x", "/nothing"])
def test_a_page_of_another_origin_can_read_a_refusal(path: str, inside: bool) -> None:
    client = with_cors(Limiter("1/minute"), inside=inside)
    for status in ({200, 404}, {429}):
        response = client.get(path, headers=ORIGIN)
        assert response.status_code in status
        assert response.headers.get_list(ALLOWED) == [ORIGIN["origin"]]
        assert response.headers.get_list("vary") == ["Origin"]


@pytest.mark.parametrize("inside", [True, False])
def test_preflights_are_not_charged(inside: bool, sidegate: Memory) -> None:
    client = with_cors(Limiter("1/minute"), inside=inside)
    for _ in range(3):
        assert client.options("/x", headers=PREFLIGHT).status_code == 200
    assert sidegate.keys() == []
    assert client.post("/x", headers=ORIGIN).status_code == 200


def test_preflights_are_charged_where_that_is_asked_for() -> None:
    client = with_cors(Limiter("1/minute", preflights=True), inside=True)
    assert client.options("/x", headers=PREFLIGHT).status_code == 200
    assert client.options("/x", headers=PREFLIGHT).status_code == 429


def test_other_options_are_charged_and_preflights_where_a_limit_names_them() -> None:
    limiter = Limiter()
    one = limiter.limit("1/minute")(lambda _: PlainTextResponse())
    two = limiter.limit("1/minute", methods=["OPTIONS"])(lambda _: PlainTextResponse())
    routes = [Route(path, view, methods=["OPTIONS"]) for path, view in (("/1", one), ("/2", two))]
    client = client_of(limiter, *routes)
    assert statuses(client, "/1", "/1", method="OPTIONS") == [200, 429]
    assert statuses(client, "/1", "/1", method="OPTIONS", headers=PREFLIGHT) == [200, 200]
    assert statuses(client, "/2", "/2", method="OPTIONS", headers=PREFLIGHT) == [200, 429]


# --- not refused, or otherwise


def test_a_malformed_request_is_answered_400_and_goes_to_no_handler() -> None:
    limiter = Limiter(default_limits="1/minute", key=header("x-api-key"))
    client = client_of(limiter, Route("/x", hello), exception_handlers={HTTPException: own})
    lines = [("x-api-key", "a"), ("x-api-key", "b")]
    response = client.get("/x", headers=lines)
    assert response.status_code == 400
    assert response.headers["content-type"] == "application/problem+json"


def test_closed_is_503_and_an_exception_as_any_other() -> None:
    limiter = Limiter(default_limits="1/minute", client=Checker(Source.CLOSED))
    client = client_of(limiter, Route("/x", hello), exception_handlers={RateLimitExceeded: own})
    response = client.get("/x")
    assert (response.status_code, response.json()["path"]) == (503, "/x")


def test_shadow_marks_and_lets_through() -> None:
    response = refused(Limiter(default_limits="1/minute", shadow=True))
    assert (response.status_code, response.headers["sidegate-shadow"]) == (200, "denied")


def test_enabled_false_and_exempt_paths_have_no_limits(sidegate: Memory) -> None:
    assert refused(Limiter("1/minute", enabled=False)).status_code == 200
    response = refused(Limiter("1/minute", default_limits="1/minute", exempt=["/x"]))
    assert response.status_code == 200
    assert "ratelimit" not in response.headers
    assert sidegate.keys() == []


def test_rules_and_limits_of_routes_apply_together() -> None:
    limiter = Limiter(rules=[Rule("api", "2/minute", path="/api/*")])
    one = limiter.limit("1/minute")(lambda _: PlainTextResponse())
    client = client_of(limiter, Route("/api/x", one), Route("/api/y", hello), Route("/z", hello))
    assert statuses(client, "/api/x", "/api/x", "/api/y", "/api/y") == [200, 429, 200, 429]
    assert statuses(client, "/z") == [200]
