"""Refusals in Flask: answered by the app's own error handlers, and what responses say."""

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Blueprint, Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException

from sidegate import Limiter, RateLimitExceeded, RepeatedField
from sidegate.buckets.decision import Source
from sidegate.testing import Memory
from tests.middleware.integrations.flask.asking import ask, statuses
from tests.support.middleware.checker import BlockingChecker, items

pytestmark = pytest.mark.usefixtures("sidegate")


def limited(limiter: Limiter | None = None, **options: Any) -> Flask:
    """Return an app with a view that passes once a minute, while the time stands still."""
    made = limiter or Limiter(client=BlockingChecker())
    app = Flask("shop")
    made.init_app(app)
    app.add_url_rule("/", "index", made.limit("1/minute", **options)(lambda: "ok"))
    return app


def saying(what: str) -> Any:
    """Return an error handler."""

    def handler(error: HTTPException) -> tuple[str, int]:
        return f"{what}: {error.name}", error.code or 0

    return handler


def refusal(app: Flask, method: str = "GET") -> Any:
    """Return the second answer."""
    return ask(app, "/", 2, method)[1]


def test_without_a_handler_it_is_the_usual_response() -> None:
    refused = refusal(limited())
    assert refused.status_code == 429
    assert refused.content_type == "application/problem+json"
    assert refused.headers["retry-after"] == "60"
    assert refused.headers["cache-control"] == "no-store"
    assert items(refused.headers["ratelimit"]) == {"index": {"r": 0, "t": 60}}
    assert refused.json["violated-policies"] == ["index"]
    assert refused.content_length == len(refused.data)
    head = refusal(limited(), "HEAD")
    assert (head.status_code, head.data) == (429, b"")
    assert int(head.headers["content-length"]) > 100


@pytest.mark.parametrize("kind", [429, RateLimitExceeded, HTTPException])
def test_the_app_s_error_handler_answers(kind: Any) -> None:
    """And gets what it knows of any HTTP error, with the decision; fields are added."""
    app = limited()

    @app.errorhandler(kind)
    def slow_down(error: Any) -> tuple[Response, int]:
        assert isinstance(error, RateLimitExceeded)
        assert isinstance(error, HTTPException)
        told: Any = error
        assert (told.code, told.name, told.status_code) == (429, "Too Many Requests", 429)
        assert told.description == told.detail == str(told)
        assert told.decision.retry_after == told.retry_after == 60
        return jsonify(error=f"slow down: {told.description}"), 429

    refused = refusal(app)
    assert refused.json == {"error": "slow down: The limit is 1/minute. Retry in 60 s."}
    assert refused.status_code == 429
    assert refused.headers["retry-after"] == "60"
    assert items(refused.headers["ratelimit"]) == {"index": {"r": 0, "t": 60}}
    assert refused.headers.getlist("content-type") == ["application/json"]


def test_a_handler_may_change_the_usual_response_and_has_the_last_word() -> None:
    """As Flask documents it for all HTTP errors."""
    app = limited()

    @app.errorhandler(HTTPException)
    def as_text(error: HTTPException) -> Any:
        response: Any = error.get_response()
        response.data = f"{error.code} {error.name}"
        response.content_type = "text/plain"
        response.headers["Retry-After"] = "3600"
        return response

    refused = refusal(app)
    assert (refused.text, refused.content_length) == ("429 Too Many Requests", 21)
    assert refused.headers.getlist("retry-after") == ["3600"]
    assert len(refused.headers.getlist("ratelimit")) == 1


def test_a_blueprint_s_handler_comes_first() -> None:
    limiter = Limiter("1/minute")
    app, api = Flask("shop"), Blueprint("api", "shop")
    limiter.init_app(app)
    api.add_url_rule("/api", "index", lambda: "ok")
    api.errorhandler(429)(saying("blueprint"))
    app.errorhandler(429)(saying("app"))
    app.register_blueprint(api)
    assert statuses(app, "/api") == [200]
    assert [ask(app, path)[0].text for path in ("/api", "/nowhere")] == [
        "blueprint: Too Many Requests",
        "app: Too Many Requests",
    ]


def test_a_handler_that_breaks_is_the_app_s_own_error() -> None:
    app = limited()

    @app.errorhandler(429)
    def broken(_: object) -> str:
        raise RuntimeError

    assert refusal(app).status_code == 500


def test_a_refusal_goes_through_what_is_after_a_request() -> None:
    """So fields for CORS are on it; ours are set behind all of the app's."""
    app = limited()
    seen: list[bool] = []

    @app.after_request
    def allow_origin(response: Response) -> Response:
        seen.append("ratelimit" in response.headers)
        response.headers["Access-Control-Allow-Origin"] = "*"
        return response

    refused = refusal(app)
    assert refused.headers["access-control-allow-origin"] == "*"
    assert seen == [False, True]
    assert len(refused.headers.getlist("ratelimit")) == 1


def test_nobody_who_could_decide_is_a_503() -> None:
    app = limited(Limiter(client=BlockingChecker(Source.CLOSED), on_unreachable="closed"))
    app.errorhandler(503)(saying("later"))
    answer = ask(app, "/")[0]
    assert (answer.status_code, answer.text) == (503, "later: Service Unavailable")


def test_a_malformed_request_is_a_400() -> None:
    def two_keys() -> str:
        raise RepeatedField("x-key")

    answer = ask(limited(key=two_keys), "/")[0]
    assert (answer.status_code, answer.content_type) == (400, "application/problem+json")


def test_on_denied_makes_the_body() -> None:
    def on_denied(asked: Any, decision: Any) -> Any:
        return {"path": asked.path, "retry": decision.retry_after}, 420, {"x-reason": "limit"}

    for app in (
        limited(on_denied=on_denied),
        limited(Limiter(on_denied=on_denied, client=BlockingChecker())),
    ):
        refused = refusal(app)
        assert (refused.status_code, refused.json) == (420, {"path": "/", "retry": 60.0})
        assert refused.headers["x-reason"] == "limit"
        assert refused.headers["retry-after"] == "60"


@pytest.mark.parametrize("message", ["Slow down.", lambda: f"Slow down at {request.path}"])
def test_an_error_message(message: Any) -> None:
    refused = refusal(limited(error_message=message))
    assert refused.json["detail"].startswith("Slow down")
    assert refused.json["title"] == "Quota Exceeded"


@pytest.mark.parametrize("way", ["return", "abort", "after_request"])
def test_charge_when_gets_the_response_that_goes_out(way: str, sidegate: Memory) -> None:
    """Whoever made it; what isn't charged for is given back."""
    limiter = Limiter()
    app = Flask("shop")
    limiter.init_app(app)
    seen: list[Response] = []

    def is_failed(response: Response) -> bool:
        seen.append(response)
        return response.status_code == 401

    @app.post("/login/<int:status>")
    @limiter.limit("2/minute", charge_when=is_failed)
    def login(status: int) -> Any:
        if way == "abort" and status != 200:
            raise HTTPException(response=Response("no", status))
        return "", status if way == "return" else 200

    @app.after_request
    def change(response: Response) -> Response:
        if way == "after_request" and response.status_code == 200:
            response.status_code = int(request.path.rsplit("/", 1)[1])
        return response

    assert statuses(app, "/login/200", 5, "POST") == [200] * 5
    assert sidegate.spent("shop.login:127.0.0.1") == {}
    assert statuses(app, "/login/401", 3, "POST") == [401, 401, 429]
    assert statuses(app, "/login/200", 1, "POST") == [429]
    assert all(isinstance(it, Response) for it in seen)
    assert len(seen) == 7


def test_a_charge_is_given_back_when_the_view_breaks(sidegate: Memory) -> None:
    """Also when finishing the response breaks too."""
    limiter = Limiter()
    app = Flask("shop")
    limiter.init_app(app)

    @app.get("/")
    @limiter.limit("2/minute", charge_when=lambda response: response.status_code < 500)
    def broken() -> str:
        raise RuntimeError

    @app.after_request
    def broken_too(_: Response) -> Response:
        raise RuntimeError

    assert statuses(app, "/", 4) == [500] * 4
    assert sidegate.spent("shop.broken:127.0.0.1") == {}


def test_a_response_that_streams_has_fields_and_is_not_read() -> None:
    limiter = Limiter("5/minute")
    app = Flask("shop")
    limiter.init_app(app)
    begun: list[int] = []

    @app.get("/")
    def stream() -> Response:
        def pieces() -> Iterator[str]:
            for at in range(3):
                begun.append(at)
                yield str(at)

        return Response(pieces())

    answer = app.test_client().get("/")
    assert answer.headers["ratelimit-policy"] == '"default";q=5;w=60'
    assert begun == [0]  # which the test client reads to get at the fields
    assert answer.text == "012"


def test_fields_do_not_pile_up_on_a_response_that_is_used_again() -> None:
    limiter = Limiter("5/minute", headers="both")
    app = Flask("shop")
    limiter.init_app(app)
    always = Response("ok")
    app.add_url_rule("/", "index", lambda: always)
    answers = ask(app, "/", 3)
    assert [len(it.headers.getlist("ratelimit")) for it in answers] == [1] * 3
    assert [it.headers["x-ratelimit-remaining"] for it in answers] == ["4", "3", "2"]


def test_a_key_that_fails_lets_the_request_through_and_is_no_500(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def unknown() -> str:
        return "user"

    for key in (lambda: request.headers["x-missing"], unknown):
        assert statuses(limited(key=key), "/", 2) == [200, 200]
    assert len([it for it in caplog.records if it.name == "sidegate"]) == 2
