"""Django apps that know credentials, for ASGI and for WSGI."""

# Django has no types of its own.
# mypy: disable-error-code="import-untyped"
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownLambdaType=false, reportAttributeAccessIssue=false

from collections.abc import Callable
from typing import Any, Final

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path

from sidegate import RateLimitMiddleware, RateLimitWSGIMiddleware
from tests.cluster.spelling.credentials.accounts import knows_key
from tests.cluster.spelling.credentials.keyed import limits
from tests.cluster.spelling.credentials.readers import READERS

settings.configure(
    ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="of a test", LOGGING_CONFIG=None
)
django.setup()


def _meta(request: HttpRequest) -> bool:
    return knows_key(request.META.get("HTTP_X_API_KEY"))


def _by(reader: str) -> Callable[[HttpRequest], bool]:
    return lambda request: READERS[reader](request.headers.get)


_KNOWS: Final = {**{reader: _by(reader) for reader in READERS}, "key META": _meta}


def answer(request: HttpRequest, reader: str) -> HttpResponse:
    """Answer those who are known."""
    return HttpResponse(status=200 if _KNOWS[reader](request) else 401)


urlpatterns = [path("<str:reader>", answer)]


def asgi() -> dict[str, Any]:
    """Return the site for ASGI, once for each way."""
    site = get_asgi_application()
    ways = {f"django {reader}": reader for reader in _KNOWS}

    def at(reader: str) -> Any:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            await site({**scope, "path": f"/{reader}"}, receive, send)

        return app

    return {way: RateLimitMiddleware(at(reader), **limits(way)) for way, reader in ways.items()}


def wsgi() -> dict[str, Any]:
    """Return the site for WSGI, once for each way."""
    site = get_wsgi_application()
    ways = {f"django {reader}": reader for reader in _KNOWS}

    def at(reader: str) -> Any:
        return lambda environ, start: site({**environ, "PATH_INFO": f"/{reader}"}, start)

    return {way: RateLimitWSGIMiddleware(at(reader), **limits(way)) for way, reader in ways.items()}
