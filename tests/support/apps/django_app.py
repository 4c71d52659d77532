"""A Django app, limited, for ASGI and for WSGI servers."""

# Django has no types of its own.
# mypy: disable-error-code="import-untyped"
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportArgumentType=false

import os

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import re_path

from sidegate.asgi.middleware import RateLimitMiddleware
from sidegate.wsgi import RateLimitWSGIMiddleware
from tests.support.apps.options import OPTIONS, WORKER

settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["127.0.0.1"], SECRET_KEY="of a test")
django.setup()


def echo(request: HttpRequest) -> JsonResponse:
    """Tell what was asked."""
    return JsonResponse({"path": request.path}, headers={WORKER: str(os.getpid())})


urlpatterns = [re_path("", echo)]

asgi = RateLimitMiddleware(get_asgi_application(), **OPTIONS)
wsgi = RateLimitWSGIMiddleware(get_wsgi_application(), **OPTIONS)
