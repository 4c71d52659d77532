"""A Django project in one file: the limits of its settings and of its views, WSGI or ASGI.

pip install "..[sidecar]" django gunicorn
sidegate serve                    # in another terminal: the sidecar, on 127.0.0.1:7171
uvicorn django_app:asgi           # either of the two
gunicorn django_app:wsgi

curl -i localhost:8000/
"""

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import path

# --- settings.py

settings.configure(
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["localhost", "127.0.0.1"],
    MIDDLEWARE=["sidegate.integrations.django.LimiterMiddleware"],
    SIDEGATE={"LIMITS": "1000/hour", "DEFAULT_LIMITS": "100/minute"},
)
django.setup()

# --- views.py

from sidegate.integrations.django import limiter  # noqa: E402  # it reads the settings above


def hello(_: HttpRequest) -> JsonResponse:
    """Say it a hundred times a minute to each address."""
    return JsonResponse({"hello": "world"})


@limiter.limit("5/minute")
async def login(_: HttpRequest) -> JsonResponse:
    """Let each address try five times a minute."""
    return JsonResponse({"welcome": True})


# --- urls.py, wsgi.py and asgi.py

urlpatterns = [path("", hello), path("login", login)]

wsgi = get_wsgi_application()
asgi = get_asgi_application()

# For our own `make check`, since Django comes without types:
# mypy: disable-error-code="import-untyped"
# pyright: basic, reportArgumentType=false
