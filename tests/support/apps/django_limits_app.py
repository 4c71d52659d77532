"""A Django project whose views have limits of LimiterMiddleware and of ratelimit. No database."""

# Django and its REST framework have no types of their own.
# mypy: disable-error-code="import-untyped, untyped-decorator"
# pyright: basic, reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from inspect import iscoroutinefunction
from typing import Any, Final

import django
from django.conf import settings

MIDDLEWARE: Final = [
    "tests.support.apps.django_limits_app.users_by_header",
    "sidegate.integrations.django.LimiterMiddleware",
]
SIDEGATE: Final[dict[str, Any]] = {
    "LIMITS": "50/day",
    "DEFAULT_LIMITS": "3/hour",
    "SERVICE": "shop",
    "TRUSTED_PROXIES": 1,
    "BUDGET": 60.0,
    "EXEMPT": ["/healthz"],
}

if not settings.configured:  # in tests another app of this process has done it
    settings.configure(
        ROOT_URLCONF=__name__,
        ALLOWED_HOSTS=["127.0.0.1", "testserver"],
        SECRET_KEY="of a test",
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "rest_framework"],
        MIDDLEWARE=MIDDLEWARE,
        SIDEGATE=SIDEGATE,
    )
    django.setup()

# What reads the settings when it is imported comes behind them.
from django.contrib.auth.models import AnonymousUser, User  # noqa: E402
from django.core.asgi import get_asgi_application  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.http import HttpRequest, HttpResponse, JsonResponse  # noqa: E402
from django.template import Context, Engine  # noqa: E402
from django.urls import path  # noqa: E402
from django.utils.asyncio import async_unsafe  # noqa: E402
from django.utils.decorators import method_decorator, sync_and_async_middleware  # noqa: E402
from django.utils.functional import SimpleLazyObject  # noqa: E402
from django.views import View  # noqa: E402
from django.views.generic import RedirectView  # noqa: E402
from rest_framework.decorators import api_view  # noqa: E402
from rest_framework.request import Request  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.viewsets import ViewSet  # noqa: E402

from sidegate.integrations.django import limiter, ratelimit  # noqa: E402
from tests.support.apps.options import WORKER  # noqa: E402


@sync_and_async_middleware
def users_by_header(get_response: Callable[[HttpRequest], Any]) -> Any:
    """Believe x-user, a primary key. As with a database, a user can't be had in a loop."""

    @async_unsafe("asked for the user in a loop")
    def user_of(request: HttpRequest) -> Any:
        key = request.headers.get("x-user")
        return User(pk=int(key)) if key else AnonymousUser()

    def plain(request: Any) -> Any:
        request.user = SimpleLazyObject(lambda: user_of(request))
        return get_response(request)

    async def awaited(request: Any) -> Any:
        request.user = SimpleLazyObject(lambda: user_of(request))
        return await get_response(request)

    return awaited if iscoroutinefunction(get_response) else plain


def by_user(request: Any) -> str | None:
    """Count users."""
    return f"user={request.user.pk}" if request.user.is_authenticated else None


def ok(_: HttpRequest, **_kwargs: object) -> JsonResponse:
    """Have the default limits, and say who answers."""
    return JsonResponse({}, headers={WORKER: str(os.getpid())})


async def later(_: HttpRequest) -> JsonResponse:
    """Have the default limits, in a loop."""
    await asyncio.sleep(0)
    return JsonResponse({}, headers={WORKER: str(os.getpid())})


@limiter.limit("2/hour")
def plain(request: Any) -> HttpResponse:
    """Show what is left, as a template does."""
    template = Engine().from_string(
        "{{ request.sidegate.remaining }} of {{ request.sidegate.limit }}"
    )
    return HttpResponse(template.render(Context({"request": request})))


@limiter.limit("2/hour", key=by_user)
async def users(_: HttpRequest) -> HttpResponse:
    """Count users, in a loop."""
    return HttpResponse(str(limiter.current.remaining))


@limiter.limit("2/hour", charge_when=lambda response: response.status_code >= 400)
def failing(request: HttpRequest) -> HttpResponse:
    """Be charged for failures only."""
    return HttpResponse(status=int(request.GET.get("status", "200")))


@limiter.exempt
def free(_: HttpRequest) -> HttpResponse:
    """Have no limit."""
    return HttpResponse("free")


class Things(View):  # type: ignore[misc]  # which has no types
    """Has limits by method."""

    def get(self, _: HttpRequest) -> HttpResponse:
        """Have the default limits."""
        return HttpResponse("got")

    @limiter.limit("1/hour")
    def put(self, _: HttpRequest) -> HttpResponse:
        """Have the same limit as the next, counted apart."""
        return HttpResponse("put")

    @limiter.limit("1/hour")
    def post(self, _: HttpRequest) -> HttpResponse:
        """Have a limit of its own."""
        return HttpResponse("posted")


@method_decorator(limiter.limit("1/hour"), name="dispatch")
class Dispatched(View):  # type: ignore[misc]  # which has no types
    """Has a limit by Django's own way of decorating classes."""

    def get(self, _: HttpRequest) -> HttpResponse:
        """Answer."""
        return HttpResponse("got")


@method_decorator(ratelimit(key="ip", rate="1/h"), name="get")
class Limited(View):  # type: ignore[misc]  # which has no types
    """Has a limit of ratelimit."""

    def get(self, _: HttpRequest) -> HttpResponse:
        """Answer."""
        return HttpResponse("got")


@api_view(["GET"])
@limiter.limit("1/hour")
def api(_: Request) -> Response:
    """Have a limit below the decorator of DRF."""
    return Response({})


@limiter.limit("1/hour")
@api_view(["GET"])
def api_above(_: Request) -> Response:
    """Have a limit above the decorator of DRF."""
    return Response({})


@api_view(["GET"])
@ratelimit(key="ip", rate="1/h")
def api_limited(_: Request) -> Response:
    """Raise in DRF."""
    return Response({})


class Users(ViewSet):  # type: ignore[misc]  # which has no types
    """Has limits by action."""

    @limiter.limit("1/hour")
    def list(self, _: Request) -> Response:
        """Have a limit."""
        return Response([])

    def retrieve(self, _: Request, pk: str) -> Response:
        """Have the default limits."""
        return Response({"pk": pk})


@ratelimit(key="ip", rate="2/h", block=False)
def soft(request: Any) -> HttpResponse:
    """Only tell."""
    return HttpResponse(str(request.limited))


@ratelimit(key="user_or_ip", rate="2/h")
async def searched(_: HttpRequest) -> HttpResponse:
    """Count by user in a loop."""
    return HttpResponse("found")


@dataclass
class Greeting:
    """A view that has no hash, as two of them may be equal."""

    text: str

    def __call__(self, _: HttpRequest) -> HttpResponse:
        return HttpResponse(self.text)


urlpatterns = [
    path("", ok),
    path("healthz", ok),
    path("things/<int:pk>", lambda request, **_: ok(request), name="thing"),
    path("later", later),
    path("plain", plain),
    path("same/<int:pk>/", ok),
    path("users", users),
    path("failing", failing),
    path("free", free),
    path("class", Things.as_view()),
    path("dispatched", Dispatched.as_view()),
    path("limited", Limited.as_view()),
    path("old", RedirectView.as_view(url="/"), name="old"),
    path("unnamed", RedirectView.as_view(url="/")),
    path("unnamed-too", RedirectView.as_view(url="/")),
    path("older", RedirectView.as_view(url="/"), name="older"),
    path("api", api),
    path("api-above", api_above),
    path("api-limited", api_limited),
    path("set", Users.as_view({"get": "list"})),
    path("set/<pk>", Users.as_view({"get": "retrieve"})),
    path("soft", soft),
    path("searched", searched),
    path("object", Greeting("ok")),
]

wsgi = get_wsgi_application()
asgi = get_asgi_application()
