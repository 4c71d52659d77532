"""The throttles of Django REST framework's guide: by settings, by scope, by view and by action."""

# Django and its REST framework have no types of their own.
# mypy: disable-error-code="import-untyped, untyped-decorator"
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportArgumentType=false, reportUnknownVariableType=false, reportUntypedFunctionDecorator=false, reportUnknownArgumentType=false

import django
from django.conf import settings

settings.configure(
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["127.0.0.1"],
    SECRET_KEY="of a test",
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "rest_framework"],
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": [f"{__name__}.ByHeader"],
        "DEFAULT_THROTTLE_CLASSES": [
            "sidegate.integrations.drf.AnonThrottle",
            "sidegate.integrations.drf.UserThrottle",
            "sidegate.integrations.drf.ScopedThrottle",
        ],
        "DEFAULT_THROTTLE_RATES": {
            "anon": "10/day",
            "user": "20/day",
            "contacts": "5/day",
            "uploads": "2/day",
            "burst": "3/hour",
            "sustained": "4/day",
        },
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    },
    SIDEGATE={"service": "drf-guide", "trusted_proxies": 1},
)
django.setup()

# What reads the settings when it is imported comes behind them.
from django.contrib.auth.models import User  # noqa: E402
from rest_framework.authentication import BaseAuthentication  # noqa: E402
from rest_framework.request import Request  # noqa: E402


class ByHeader(BaseAuthentication):  # type: ignore[misc]  # which has no types
    """Believes x-user, a primary key."""

    def authenticate(self, request: Request) -> tuple[User, None] | None:
        """Return the user."""
        key = request.headers.get("x-user")
        return (User(pk=int(key)), None) if key else None


# And what reads the class comes behind that.
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.http import HttpRequest, HttpResponse  # noqa: E402
from django.urls import path  # noqa: E402
from rest_framework.decorators import action, api_view, throttle_classes  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.views import APIView  # noqa: E402
from rest_framework.viewsets import ViewSet  # noqa: E402

from sidegate.integrations.drf import UserThrottle  # noqa: E402


class BurstThrottle(UserThrottle):
    """Counts an hour."""

    scope = "burst"


class SustainedThrottle(UserThrottle):
    """Counts a day."""

    scope = "sustained"


class OncePerDay(UserThrottle):
    """Has a rate of its own."""

    scope = "once"
    rate = "1/day"


class ContactList(APIView):  # type: ignore[misc]  # which has no types
    """Shares a scope."""

    throttle_scope = "contacts"

    def get(self, _: Request) -> Response:
        """Answer."""
        return Response([])


class ContactDetail(ContactList):
    """Shares it."""


class Upload(APIView):  # type: ignore[misc]  # as above
    """Has a scope of its own."""

    throttle_scope = "uploads"

    def post(self, _: Request) -> Response:
        """Answer."""
        return Response({}, status=201)


class Search(APIView):  # type: ignore[misc]  # as above
    """Has two throttles instead of those of the settings."""

    throttle_classes = (BurstThrottle, SustainedThrottle)

    def get(self, _: Request) -> Response:
        """Answer."""
        return Response([])


class Plain(APIView):  # type: ignore[misc]  # as above
    """Has the throttles of the settings."""

    def get(self, _: Request) -> Response:
        """Answer."""
        return Response({})


@api_view(["GET"])
@throttle_classes([OncePerDay])
def once(_: Request) -> Response:
    """Have a throttle by decorator."""
    return Response({})


class Accounts(ViewSet):  # type: ignore[misc]  # as above
    """Has a throttle on an action."""

    throttle_classes = ()

    def list(self, _: Request) -> Response:
        """Have none."""
        return Response([])

    @action(detail=False, throttle_classes=[BurstThrottle])
    def export(self, _: Request) -> Response:
        """Have one."""
        return Response([])


def alive(_: HttpRequest) -> HttpResponse:
    """Say so."""
    return HttpResponse("ok")


urlpatterns = [
    path("healthz", alive),
    path("plain", Plain.as_view()),
    path("contacts", ContactList.as_view()),
    path("contact", ContactDetail.as_view()),
    path("uploads", Upload.as_view()),
    path("search", Search.as_view()),
    path("once", once),
    path("accounts", Accounts.as_view({"get": "list"})),
    path("accounts/export", Accounts.as_view({"get": "export"}, throttle_classes=[BurstThrottle])),
]

wsgi = get_wsgi_application()
