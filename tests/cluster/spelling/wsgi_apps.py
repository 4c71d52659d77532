"""Both WSGI frameworks in one process: a field of the request picks the app."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tests.cluster.spelling import django_views, flask_views
from tests.cluster.spelling.limited import apps
from tests.cluster.spelling.views import PICK

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIEnvironment

_PICK: Final = "HTTP_" + PICK.upper().replace("-", "_")

APPS: Final[dict[str, Any]] = apps({"flask": flask_views.flask, "django": django_views.wsgi})


def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Pass a request on to the app that it picks; say "ready" to one that picks none."""
    if pick := environ.get(_PICK):
        answer: Iterable[bytes] = APPS[pick](environ, start_response)
        return answer
    start_response("200 OK", [("Content-Length", "5")])
    return [b"ready"]
