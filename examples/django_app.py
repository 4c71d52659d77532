"""A Django project in one file, limited under ASGI and under WSGI.

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

from sidegate import Limiter

# --- your project: settings.py, views.py and urls.py

settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["localhost", "127.0.0.1"])
django.setup()


def hello(_: HttpRequest) -> JsonResponse:
    """Say it a hundred times a minute to each address."""
    return JsonResponse({"hello": "world"})


urlpatterns = [path("", hello)]

# --- asgi.py: the middleware goes around the application

limiter = Limiter("100/minute")
asgi = limiter.asgi(get_asgi_application())

# --- wsgi.py: the same, or the one without the other

wsgi = limiter.wsgi(get_wsgi_application())

# For our own `make check`, since Django comes without types:
# mypy: disable-error-code="import-untyped"
# pyright: basic, reportArgumentType=false
