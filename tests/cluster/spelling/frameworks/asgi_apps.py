"""The views in all ASGI frameworks, in one process."""

from typing import Any

from sidegate import Rule
from tests.cluster.spelling.frameworks import (
    django_views,
    fastapi_views,
    litestar_views,
    quart_views,
)
from tests.cluster.spelling.frameworks.limited import COMMON, WIDE, apps
from tests.cluster.spelling.serving.picking import asgi


def _inside(path: str) -> Any:
    rule = Rule("items", WIDE, path=path, methods=["GET"])
    return fastapi_views.inside(rules=[rule], **COMMON)


app = asgi(
    {
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
)
