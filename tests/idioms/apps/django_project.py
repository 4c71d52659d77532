"""A Django project: limits by the settings, by decorators of ours, and by those of ratelimit.

It is run as a process, since Django's settings are of the process. It has no database.
"""

# Django has no types of its own.
# mypy: disable-error-code="import-untyped"
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportArgumentType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Callable
from typing import Any

import django
from django.conf import settings

settings.configure(
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["127.0.0.1"],
    SECRET_KEY="of a test",
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth"],
    MIDDLEWARE=[
        f"{__name__}.authentication",
        "sidegate.integrations.django.LimiterMiddleware",
    ],
    SIDEGATE={
        "LIMITS": "9/day",
        "DEFAULT_LIMITS": "4/day",
        "SERVICE": "django",
        "TRUSTED_PROXIES": 1,
        "BUDGET": 60.0,
        "EXEMPT": ["/healthz"],
    },
)
django.setup()

# What reads the settings when it is imported comes behind them.
from django.contrib.auth.models import AnonymousUser, User  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.http import HttpRequest, HttpResponse, JsonResponse  # noqa: E402
from django.urls import path  # noqa: E402
from django.utils.decorators import method_decorator  # noqa: E402
from django.views import View  # noqa: E402

from sidegate.integrations.django import get_usage, is_ratelimited, limiter, ratelimit  # noqa: E402


def authentication(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Believe x-user, a primary key."""

    def authenticate(request: Any) -> Any:
        key = request.headers.get("x-user")
        request.user = User(pk=int(key)) if key else AnonymousUser()
        return get_response(request)

    return authenticate


def ok(_: HttpRequest) -> HttpResponse:
    """Have the default limits."""
    return HttpResponse("ok")


def item(_: HttpRequest, number: int) -> HttpResponse:
    """Have them too, counted apart."""
    return HttpResponse(str(number))


@limiter.limit("2/day")
def decorated(request: Any) -> HttpResponse:
    """Have a limit of its own, and show what is left."""
    return HttpResponse(f"{request.sidegate.remaining} of {request.sidegate.limit}")


@limiter.exempt
def free(request: HttpRequest) -> HttpResponse:
    """Be exempt."""
    return ok(request)


@method_decorator(limiter.limit("2/day", per_method=True), name="dispatch")
class Things(View):  # type: ignore[misc]  # which has no types
    """Has a limit by Django's own way of decorating classes."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Count for itself."""
        return ok(request)

    def post(self, request: HttpRequest) -> HttpResponse:
        """Count for itself."""
        return ok(request)


# --- ratelimit


@limiter.exempt
@ratelimit(key="user_or_ip", rate="2/d")
def by_user(request: HttpRequest) -> HttpResponse:
    """Count users, and who is none by address."""
    return ok(request)


@limiter.exempt
@ratelimit(key="ip", rate="4/d")
@ratelimit(key="post:username", rate="2/d", method="POST")
def login(request: HttpRequest) -> HttpResponse:
    """Count addresses and names that are tried."""
    return ok(request)


@limiter.exempt
@ratelimit(key="ip", rate="2/86400")
def seconds(request: HttpRequest) -> HttpResponse:
    """Have a period of seconds."""
    return ok(request)


@ratelimit(key="ip", rate="0/s")
def blocked(request: HttpRequest) -> HttpResponse:
    """Let nothing pass."""
    return ok(request)


@limiter.exempt
@ratelimit(key="ip", rate=lambda _, request: None if request.user.is_authenticated else "1/d")
def anonymous(request: HttpRequest) -> HttpResponse:
    """Have a limit for some."""
    return ok(request)


@ratelimit(group="expensive", key="ip", rate="3/d")
def expensive_a(request: HttpRequest) -> HttpResponse:
    """Share a limit."""
    return ok(request)


@ratelimit(group="expensive", key="ip", rate="3/d")
def expensive_b(request: HttpRequest) -> HttpResponse:
    """Share it."""
    return ok(request)


@ratelimit(key="ip", rate="1/d", block=False)
def soft(request: Any) -> HttpResponse:
    """Only be told."""
    return HttpResponse(str(request.limited))


@limiter.exempt
@method_decorator(ratelimit(key="ip", rate="1/d"), name="get")
class Limited(View):  # type: ignore[misc]  # as above
    """Has a limit on a method."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Be limited."""
        return ok(request)

    def post(self, request: HttpRequest) -> HttpResponse:
        """Not be limited."""
        return ok(request)


@limiter.exempt
def usage(request: HttpRequest) -> JsonResponse:
    """Spend two of three, and look without spending."""
    asked: dict[str, Any] = {"group": "mail", "key": "ip", "rate": "3/d"}
    limited = [is_ratelimited(request, **asked, increment=True) for _ in range(2)]
    looked = get_usage(request, **asked)
    assert looked is not None
    return JsonResponse({"limited": limited, "count": looked["count"], "limit": looked["limit"]})


urlpatterns = [
    path("healthz", ok),
    path("one", ok),
    path("items/<int:number>", item),
    path("decorated", decorated),
    path("free", free),
    path("things", Things.as_view()),
    path("user", by_user),
    path("login", login),
    path("seconds", seconds),
    path("blocked", blocked),
    path("anonymous", anonymous),
    path("expensive-a", expensive_a),
    path("expensive-b", expensive_b),
    path("soft", soft),
    path("limited", Limited.as_view()),
    path("usage", usage),
]

wsgi = get_wsgi_application()
