"""A WSGI app, what a server gets from it, and its environment, for the tests of the middleware."""

from collections.abc import Callable, Iterator
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment
from wsgiref.util import setup_testing_defaults

from sidegate.wsgi import RateLimitWSGIMiddleware
from tests.support.middleware.checker import BlockingChecker


class Body:
    """A response that tells whether it was read ahead and whether it was closed."""

    def __init__(self, *parts: bytes) -> None:
        self.parts = iter(parts)
        self.read = 0
        self.closed = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        part = next(self.parts)
        self.read += 1
        return part

    def close(self) -> None:
        self.closed = True


class App:
    """Answers in two parts, and keeps what it was called with."""

    def __init__(self) -> None:
        self.calls: list[WSGIEnvironment] = []
        self.body = Body()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Body:
        self.calls.append(environ)
        self.body = Body(b"hel", b"lo")
        start_response("200 OK", [("Content-Type", "text/plain"), ("X-App", "1")])
        return self.body


class Response:
    """What a server got."""

    def __init__(self, app: Any, environ: WSGIEnvironment) -> None:
        self.started: list[tuple[str, list[tuple[str, str]]]] = []
        self.exc_info: list[Any] = []
        self.body = app(environ, self._start)
        self.status, fields = self.started[-1]
        self.fields = dict(fields)
        assert len(self.fields) == len(fields)

    def _start(
        self, status: str, fields: list[tuple[str, str]], *exc_info: Any
    ) -> Callable[[bytes], object]:
        self.started.append((status, fields))
        self.exc_info.append(exc_info)
        return lambda _: None


def limit(app: Any, **options: Any) -> RateLimitWSGIMiddleware:
    if "sidecar" not in options:
        options.setdefault("client", BlockingChecker())
    return RateLimitWSGIMiddleware(app, **options)


def environ(path: str = "/", method: str = "GET", **more: Any) -> WSGIEnvironment:
    given = {"REQUEST_METHOD": method, "SCRIPT_NAME": "", "PATH_INFO": path}
    given |= {"REMOTE_ADDR": "192.0.2.1", **more}
    setup_testing_defaults(given)
    return given
