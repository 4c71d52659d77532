"""The views in Django, for ASGI and for WSGI."""

# Django has no types of its own.
# mypy: disable-error-code="import-untyped, untyped-decorator"
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUntypedFunctionDecorator=false
# pyright: reportArgumentType=false

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import include, path
from django.views.decorators.http import require_POST, require_safe

from sidegate import RateLimitMiddleware, RateLimitWSGIMiddleware
from tests.cluster.spelling.frameworks.views import SEEN, seen

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest

settings.configure(
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["*"],
    SECRET_KEY="of a test",
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],  # knows APPEND_SLASH
    LOGGING_CONFIG=None,
)
django.setup()


def _view(name: str) -> Callable[..., HttpResponse]:
    def view(request: HttpRequest, **words: str) -> HttpResponse:
        del request, words
        return HttpResponse(seen(name), headers={SEEN: name})

    return view


_ITEMS = [
    path("items", require_safe(_view("items"))),
    path("items/<str:number>", require_safe(_view("item"))),
]
urlpatterns = [
    path("", require_safe(_view("root"))),
    path("login", require_POST(_view("login"))),
    path("account/", require_POST(_view("account"))),
    path("users/<str:number>/delete", require_POST(_view("user"))),
    path("files/<path:rest>", require_safe(_view("files"))),
    path("other", require_POST(_view("other"))),
    path("v1/", include(_ITEMS)),
]


def asgi(**limits: Any) -> RateLimitMiddleware:
    """Return the site for ASGI."""
    return RateLimitMiddleware(get_asgi_application(), **limits)


def wsgi(**limits: Any) -> RateLimitWSGIMiddleware:
    """Return the site for WSGI."""
    return RateLimitWSGIMiddleware(get_wsgi_application(), **limits)
