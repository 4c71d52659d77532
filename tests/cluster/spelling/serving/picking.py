"""Many apps in one process: a field of the request picks the app, and the path stays as it is."""

from collections.abc import Iterable, Mapping
from typing import Any, Final
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from sidegate.asgi.types import App, Receive, Scope, Send
from tests.cluster.spelling.frameworks.views import PICK

_FIELD: Final = PICK.encode()
_VARIABLE: Final = "HTTP_" + PICK.upper().replace("-", "_")


def asgi(apps: Mapping[str, Any]) -> App:
    """Return an ASGI app that passes a request on, and says "ready" to one that picks none."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        pick = dict(scope["headers"]).get(_FIELD)
        await (apps[pick.decode()] if pick else _ready)(scope, receive, send)

    return app


async def _lifespan(receive: Receive, send: Send) -> None:
    for event in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{event}.complete"})


async def _ready(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ready"})


def wsgi(apps: Mapping[str, Any]) -> WSGIApplication:
    """Return a WSGI app that passes a request on, and says "ready" to one that picks none."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if pick := environ.get(_VARIABLE):
            answer: Iterable[bytes] = apps[pick](environ, start_response)
            return answer
        start_response("200 OK", [("Content-Length", "5")])
        return [b"ready"]

    return app
