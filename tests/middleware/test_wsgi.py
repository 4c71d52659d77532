"""The WSGI middleware, driven call by call."""

import logging
from collections.abc import Callable
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment
from wsgiref.validate import validator

import pytest

from sidegate.buckets.decision import Decision, Source
from sidegate.buckets.limits import Limits
from sidegate.http.request.request import Request
from tests.support.middleware.checker import BlockingChecker
from tests.support.middleware.wsgi_app import App, Response, environ, limit


def test_a_response_says_what_is_left_and_is_passed_as_it_comes() -> None:
    app, checker = App(), BlockingChecker()
    limited = limit(app, limits="10/minute", client=checker)
    response = Response(limited, given := environ())
    assert app.calls == [given]
    assert response.status == "200 OK"
    assert response.fields == {
        "Content-Type": "text/plain",
        "X-App": "1",
        "Ratelimit-Policy": '"default";q=10;w=60',
        "Ratelimit": '"default";r=9;t=6',
    }
    assert response.body is app.body
    assert (app.body.read, app.body.closed) == (0, False)
    assert checker.asked == [("default:192.0.2.1", "10/minute", 1)]


@pytest.mark.parametrize(
    ("options", "more", "key"),
    [
        ({}, {}, "192.0.2.1"),
        ({}, {"REMOTE_ADDR": ""}, "unknown"),
        ({}, {"REMOTE_ADDR": "2001:db8::1"}, "2001:db8::/64"),
        ({"trusted_proxies": 1}, {"HTTP_X_FORWARDED_FOR": "1.1.1.1, 192.0.2.9"}, "192.0.2.9"),
        ({}, {"HTTP_X_FORWARDED_FOR": "1.1.1.1"}, "192.0.2.1"),
    ],
)
def test_a_request_counts_by_its_identity(
    options: dict[str, Any], more: dict[str, str], key: str
) -> None:
    checker = BlockingChecker()
    Response(limit(App(), limits="10/minute", client=checker, **options), environ(**more))
    assert checker.asked == [(f"default:{key}", "10/minute", 1)]


# --- what goes wrong


class Broken:
    def __init__(self, error: Exception | None = None) -> None:
        self._error = error

    def check(self, key: str, limits: Limits, cost: int) -> Decision:  # noqa: ARG002
        if self._error:
            raise self._error
        return Decision(True, limits, 1, (5,), Source.OWNER)  # debts are missing


def boom(_: Request) -> Any:
    raise RuntimeError("boom")


async def later(_: Request) -> Any:
    return 1


def hidden(request: Request) -> Any:
    """Is no coroutine function, so only the first request shows what it returns."""
    return later(request)


def gives(value: object) -> Callable[[Request], Any]:
    return lambda _: value


@pytest.mark.parametrize(
    ("policy", "expected"),
    [("open", "200 OK"), ("local", "200 OK"), ("closed", "503 Service Unavailable")],
)
@pytest.mark.parametrize(
    "options",
    [
        {"key": boom},
        {"key": gives(b"7")},
        {"key": hidden},
        {"cost": boom},
        {"cost": gives(-1)},
        {"cost": hidden},
        {"client": Broken(RuntimeError("closed"))},
        {"client": Broken()},
    ],
)
def test_the_app_does_not_suffer_for_its_limiter(
    options: dict[str, Any], policy: str, expected: str, caplog: pytest.LogCaptureFixture
) -> None:
    app = App()
    limited = limit(app, limits="10/minute; 90/hour", on_unreachable=policy, **options)
    response = Response(limited, environ())
    assert response.status == expected
    assert response.fields["Sidegate-Source"] == ("closed" if policy == "closed" else "open")
    assert len(app.calls) == (expected == "200 OK")
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


@pytest.mark.parametrize("options", [{"key": later}, {"cost": later}])
def test_coroutine_functions_are_refused_at_once(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"Rule\('default'.*plain functions in WSGI"):
        limit(App(), limits="10/minute", **options)


def test_without_a_sidecar_it_goes_by_on_unreachable() -> None:
    limited = limit(App(), limits="1/minute", sidecar="unix:/nonexistent/sidegate.sock")
    assert Response(limited, environ()).fields["Sidegate-Source"] == "open"


def test_what_the_app_raises_passes_and_it_is_called_once() -> None:
    calls: list[WSGIEnvironment] = []

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:  # noqa: ARG001
        calls.append(environ)
        raise LookupError("the app's own")

    with pytest.raises(LookupError, match="the app's own"):
        Response(limit(app, limits="10/minute"), environ())
    assert len(calls) == 1


def test_a_response_that_starts_again_for_an_error_has_the_fields_too() -> None:
    error: Any = (ValueError, ValueError("late"), None)

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:  # noqa: ARG001
        start_response("200 OK", [])
        start_response("500 Internal Server Error", [], error)
        return [b"sorry"]

    response = Response(limit(app, limits="10/minute"), environ())
    assert response.status == "500 Internal Server Error"
    assert response.exc_info == [(), (error,)]
    assert set(response.fields) == {"Ratelimit-Policy", "Ratelimit"}


@pytest.mark.filterwarnings("ignore::wsgiref.validate.WSGIWarning")
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_both_sides_keep_to_the_standard(method: str) -> None:
    """The standard library's validator stands before and behind the middleware."""
    limited = validator(limit(validator(App()), limits="1/minute"))
    for expected in ("200 OK", "429 Too Many Requests"):
        response = Response(limited, environ(method=method, QUERY_STRING=""))
        list(response.body)
        response.body.close()
        assert response.status == expected
