"""The views in Django, for ASGI and for WSGI."""

# Django has no types of its own.
# mypy: disable-error-code="import-untyped, untyped-decorator"
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUntypedFunctionDecorator=false
# pyright: reportArgumentType=false

from collections.abc import Callable
from typing import Any

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from django.views.decorators.http import require_POST, require_safe

from sidegate import RateLimitMiddleware, RateLimitWSGIMiddleware
from tests.cluster.spelling.frameworks.views import MOUNT, SEEN, declared, seen

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


def _patterns(*, mounted: bool) -> list[Any]:
    views = declared("<str:number>", "<path:rest>", mounted=mounted)
    require = {"GET": require_safe, "POST": require_POST}
    return [path(at[1:], require[method](_view(name))) for name, method, at in views]


urlpatterns = [*_patterns(mounted=False), path(f"{MOUNT[1:]}/", include(_patterns(mounted=True)))]


def asgi(**limits: Any) -> RateLimitMiddleware:
    """Return the site for ASGI."""
    return RateLimitMiddleware(get_asgi_application(), **limits)


def wsgi(**limits: Any) -> RateLimitWSGIMiddleware:
    """Return the site for WSGI."""
    return RateLimitWSGIMiddleware(get_wsgi_application(), **limits)
