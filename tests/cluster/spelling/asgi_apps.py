"""All ASGI frameworks in one process: a field of the request picks the app."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sidegate import Rule
from tests.cluster.spelling import django_views, fastapi_views, litestar_views, quart_views
from tests.cluster.spelling.limited import COMMON, WIDE, apps
from tests.cluster.spelling.views import PICK

if TYPE_CHECKING:
    from sidegate.asgi import Receive, Scope, Send

_PICK: Final = PICK.encode()


def _inside(path: str) -> Any:
    rule = Rule("items", WIDE, path=path, methods=["GET"])
    return fastapi_views.inside(rules=[rule], **COMMON)


APPS: Final[dict[str, Any]] = {
    **apps(
        {
            "fastapi": fastapi_views.fastapi,
            "starlette": fastapi_views.starlette,
            "django": django_views.asgi,
            "quart": quart_views.quart,
            "litestar": litestar_views.litestar,
            "fastapi root_path": fastapi_views.with_root_path,
        }
    ),
    "inside, own path": _inside("/items"),
    "inside, whole path": _inside("/v1/items"),
}


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Pass a request on to the app that it picks; say "ready" to one that picks none."""
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
        return
    pick = dict(scope["headers"]).get(_PICK)
    await (APPS[pick.decode()] if pick else _ready)(scope, receive, send)


async def _lifespan(receive: Receive, send: Send) -> None:
    for event in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{event}.complete"})


async def _ready(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ready"})
