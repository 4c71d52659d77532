"""A Django REST framework app, throttled by classes that its settings name. It has no database."""

# Django and its REST framework have no types of their own.
# mypy: disable-error-code="import-untyped"
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportArgumentType=false

import os
from typing import Any, Final

import django
from django.conf import settings

THROTTLES: Final = "sidegate.integrations.drf"

# Windows are so long that no token comes back while a test looks, on however busy a machine.
REST_FRAMEWORK: Final[dict[str, Any]] = {
    "DEFAULT_THROTTLE_CLASSES": [
        f"{THROTTLES}.AnonThrottle",
        f"{THROTTLES}.UserThrottle",
        f"{THROTTLES}.ScopedThrottle",
    ],
    "DEFAULT_THROTTLE_RATES": {
        "anon": "3/day",
        "user": "5/hour burst 4; 90/day",
        "uploads": "2/hour",
        "free": None,
    },
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
}
SIDEGATE: Final[dict[str, Any]] = {"service": "shop", "trusted_proxies": 1, "budget": 60.0}

settings.configure(
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["127.0.0.1", "testserver"],
    SECRET_KEY="of a test",
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "rest_framework"],
    REST_FRAMEWORK=REST_FRAMEWORK,
    SIDEGATE=SIDEGATE,
)
django.setup()

# What reads the settings when it is imported comes behind them.
from django.contrib.auth.models import User  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.http import HttpRequest, HttpResponse  # noqa: E402
from django.test.utils import override_settings  # noqa: E402
from django.urls import path  # noqa: E402
from rest_framework.authentication import BaseAuthentication  # noqa: E402
from rest_framework.request import Request  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.views import APIView  # noqa: E402

from tests.support.apps.options import WORKER  # noqa: E402


def rates(**given: object) -> Any:
    """Have these rates in the settings, in a block."""
    return override_settings(REST_FRAMEWORK=REST_FRAMEWORK | {"DEFAULT_THROTTLE_RATES": given})


def options(**given: object) -> Any:
    """Have these options in SIDEGATE, besides those of the app, in a block."""
    return override_settings(SIDEGATE=SIDEGATE | given)


class ByHeader(BaseAuthentication):  # type: ignore[misc]  # which has no types
    """Believes x-user, a primary key."""

    def authenticate(self, request: Request) -> tuple[User, None] | None:
        """Return the user."""
        key = request.headers.get("x-user")
        return (User(pk=int(key)), None) if key else None


class Things(APIView):  # type: ignore[misc]  # which has no types
    """Has the limits of everybody."""

    authentication_classes = (ByHeader,)

    def get(self, _: Request) -> Response:
        """Say who answers."""
        return Response({}, headers={WORKER: str(os.getpid())})


class Uploads(Things):
    """Has a limit of its own too."""

    throttle_scope = "uploads"


class Free(Things):
    """Has a scope without a limit."""

    throttle_scope = "free"


def alive(_: HttpRequest) -> HttpResponse:
    """Say so."""
    return HttpResponse("ok")


urlpatterns = [
    path("things", Things.as_view()),
    path("uploads", Uploads.as_view()),
    path("free", Free.as_view()),
    path("healthz", alive),
]

wsgi = get_wsgi_application()
