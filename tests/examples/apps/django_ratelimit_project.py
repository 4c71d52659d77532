"""The examples of django-ratelimit: keys, rates, groups, methods, and views that only look."""

# Django has no types of its own.
# mypy: disable-error-code="import-untyped, untyped-decorator"
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
    SIDEGATE={"service": "django-ratelimit", "trusted_proxies": 1},
)
django.setup()

# What reads the settings when it is imported comes behind them.
from django.contrib.auth.models import AnonymousUser, User  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.http import HttpRequest, HttpResponse  # noqa: E402
from django.urls import path  # noqa: E402
from django.utils.decorators import method_decorator  # noqa: E402
from django.views import View  # noqa: E402

from sidegate.integrations.django import Ratelimited, ratelimit  # noqa: E402


def authentication(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Believe x-user, a primary key."""

    def authenticate(request: Any) -> Any:
        key = request.headers.get("x-user")
        request.user = User(pk=int(key)) if key else AnonymousUser()
        return get_response(request)

    return authenticate


def handler429(request: HttpRequest, exception: Ratelimited) -> HttpResponse:
    """Answer who is refused, as RATELIMIT_VIEW does."""
    return HttpResponse(f"{request.path}: {exception.detail}", status=429)


def alive(_: HttpRequest) -> HttpResponse:
    """Say so."""
    return HttpResponse("ok")


@ratelimit(key="ip", rate="5/h", block=False)
def annotated(request: Any) -> HttpResponse:
    """Only be told."""
    return HttpResponse("limited" if request.limited else "free")


@ratelimit(key="ip", rate="5/h")
def blocked(_: HttpRequest) -> HttpResponse:
    """Be refused."""
    return HttpResponse("ok")


@ratelimit(key="post:username", rate="5/h")
@ratelimit(key="post:tenant", rate="7/h")
def login(_: HttpRequest) -> HttpResponse:
    """Count two fields of the form, each for itself."""
    return HttpResponse("ok")


def question(_: str, request: Any) -> str:
    """Return what is asked for, by whichever method."""
    return str(request.GET.get("q") or request.POST.get("q"))


@ratelimit(key=question, rate="3/h")
def search(_: HttpRequest) -> HttpResponse:
    """Count each question."""
    return HttpResponse("found")


def rate_of(_: str, request: Any) -> str | None:
    """Have no limit for those who are logged in."""
    return None if request.user.is_authenticated else "3/h"


@ratelimit(key="ip", rate=rate_of)
def anonymous(_: HttpRequest) -> HttpResponse:
    """Limit strangers alone."""
    return HttpResponse("ok")


@ratelimit(key="user_or_ip", rate="3/h")
@ratelimit(key="user_or_ip", rate="10/d")
def burst(_: HttpRequest) -> HttpResponse:
    """Have a limit for an hour and one for a day."""
    return HttpResponse("ok")


@ratelimit(group="expensive", key="user_or_ip", rate="3/h")
def expensive_a(_: HttpRequest) -> HttpResponse:
    """Share a counter."""
    return HttpResponse("ok")


@ratelimit(group="expensive", key="user_or_ip", rate="3/h")
def expensive_b(_: HttpRequest) -> HttpResponse:
    """Share it."""
    return HttpResponse("ok")


def cluster_ip(_: str, request: Any) -> str:
    """Return the address in a field of a proxy's, else that of the connection."""
    return str(request.META.get("HTTP_X_CLUSTER_CLIENT_IP", request.META["REMOTE_ADDR"]))


@ratelimit(key="header:x-cluster-client-ip", rate="2/h")
@ratelimit(key=cluster_ip, rate="3/h")
def behind(_: HttpRequest) -> HttpResponse:
    """Count by a field, and by a function."""
    return HttpResponse("ok")


class Things(View):  # type: ignore[misc]  # which has no types
    """Has limits by method."""

    @method_decorator(ratelimit(key="ip", rate="1/h", method="GET"))
    def get(self, _: HttpRequest) -> HttpResponse:
        """Be limited."""
        return HttpResponse("got")

    @method_decorator(ratelimit(key="ip", rate="2/h", method=ratelimit.UNSAFE))
    def post(self, _: HttpRequest) -> HttpResponse:
        """Be limited by another."""
        return HttpResponse("posted")


urlpatterns = [
    path("healthz", alive),
    path("annotated", annotated),
    path("blocked", blocked),
    path("login", login),
    path("search", search),
    path("anonymous", anonymous),
    path("burst", burst),
    path("expensive-a", expensive_a),
    path("expensive-b", expensive_b),
    path("behind", behind),
    path("things", Things.as_view()),
    path("wrapped", ratelimit(key="ip", rate="1/h")(Things.as_view())),
]

wsgi = get_wsgi_application()
