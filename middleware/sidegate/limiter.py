"""Limiter: the options of a middleware, checked where they are written."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, TypeVar, Unpack, cast

from sidegate.asgi.middleware import RateLimitMiddleware
from sidegate.client.blocking import BlockingClient
from sidegate.client.client import Client
from sidegate.client.config import Configured, client_options, require_client
from sidegate.middleware_options import CommonOptions, Options, settings_of
from sidegate.wsgi import RateLimitWSGIMiddleware

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator, Iterable
    from wsgiref.types import WSGIApplication

    from sidegate.asgi.types import App
    from sidegate.buckets.decision import Decision
    from sidegate.buckets.limits import Limits

C = TypeVar("C", bound=Configured)


class Limiter:
    """The limits of an app, made at import, so that a mistake in them is an error at import.

        limiter = Limiter("100/minute", service="shop")
        app.add_middleware(limiter.asgi)               # FastAPI, Starlette
        app.wsgi_app = limiter.wsgi(app.wsgi_app)      # Flask
        application = limiter.wsgi(get_wsgi_application())  # Django

    Starlette makes a middleware only at the first request, when a mistake answers 500 to
    everybody. The options are those of both middlewares, see `Options`.
    """

    def __init__(
        self,
        limits: str | Limits | Iterable[str] | None = None,
        **options: Unpack[CommonOptions[Any]],
    ) -> None:
        given: dict[str, Any] = {**options, "limits": limits}
        for option in ("rules", "exempt"):  # they are read again for each app
            if isinstance(values := given.get(option), Iterator):
                given[option] = tuple(cast("Iterator[object]", values))
        settings = settings_of(cast("Options[Any]", given))
        if given.get("client") is None:
            client_options(
                given.get("sidecar"),
                settings.budget,
                given.get("secret"),
                given.get("tls"),
                "app",
                on_unreachable=settings.on_unreachable,
            )
        self._options = given
        self._settings = settings
        self._lock = threading.Lock()  # over the two below
        self._client: Client | None = None
        self._blocking: BlockingClient | None = None

    def asgi(self, app: App) -> RateLimitMiddleware:
        """Return an ASGI app with its limits: `app.add_middleware(limiter.asgi)`."""
        return RateLimitMiddleware(app, **self._options)

    def wsgi(self, app: WSGIApplication) -> RateLimitWSGIMiddleware:
        """Return a WSGI app with its limits: `app.wsgi_app = limiter.wsgi(app.wsgi_app)`."""
        return RateLimitWSGIMiddleware(app, **self._options)

    @asynccontextmanager
    async def wait(
        self,
        key: str,
        limits: str | Limits,
        cost: int = 1,
        timeout: float | None = None,  # noqa: ASYNC109  # as that of acquire
    ) -> AsyncGenerator[Decision]:
        """Enter the block when a check passes, and give its Decision; see `Client.acquire`."""
        yield await self._for_loops().acquire(key, limits, cost, timeout)

    @contextmanager
    def wait_blocking(
        self, key: str, limits: str | Limits, cost: int = 1, timeout: float | None = None
    ) -> Generator[Decision]:
        """Enter the block when a check passes, in a thread; see `BlockingClient.acquire`."""
        yield self._for_threads().acquire(key, limits, cost, timeout)

    def _for_loops(self) -> Client:
        """Return the client for event loops, one for all; ValueError if another kind was given."""
        with self._lock:
            if self._client is None:
                self._client = self._own(Client)
            return self._client

    def _for_threads(self) -> BlockingClient:
        with self._lock:
            if self._blocking is None:
                self._blocking = self._own(BlockingClient)
            return self._blocking

    def _own(self, kind: type[C]) -> C:
        options, settings = self._options, self._settings
        if (given := require_client(options.get("client"), kind)) is not None:
            return given
        return kind(
            options.get("sidecar") if settings.enabled else "off",
            budget=settings.budget,
            on_unreachable=settings.on_unreachable,
            secret=options.get("secret"),
            tls=options.get("tls"),
        )
