"""Limiter: the options of a middleware, checked where they are written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Unpack, cast

from sidegate.asgi.middleware import RateLimitMiddleware
from sidegate.client.config import client_options
from sidegate.middleware_options import CommonOptions, Options, settings_of
from sidegate.wsgi import RateLimitWSGIMiddleware

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import WSGIApplication

    from sidegate.asgi.types import App
    from sidegate.buckets.limits import Limits


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

    def asgi(self, app: App) -> RateLimitMiddleware:
        """Return an ASGI app with its limits: `app.add_middleware(limiter.asgi)`."""
        return RateLimitMiddleware(app, **self._options)

    def wsgi(self, app: WSGIApplication) -> RateLimitWSGIMiddleware:
        """Return a WSGI app with its limits: `app.wsgi_app = limiter.wsgi(app.wsgi_app)`."""
        return RateLimitWSGIMiddleware(app, **self._options)
