"""The views in Litestar."""

from typing import Any, Final

from litestar import Litestar, Response, Router, get, post

from sidegate import RateLimitMiddleware
from tests.cluster.spelling.frameworks.views import MOUNT, SEEN, declared, seen

_METHODS: Final[dict[str, Any]] = {"GET": get, "POST": post}


def _handlers(*, mounted: bool) -> list[Any]:
    views = declared("{number:str}", "{rest:path}", mounted=mounted)
    return [_METHODS[method](path)(_view(name)) for name, method, path in views]


def _view(name: str) -> Any:
    async def view() -> Response[str]:
        return Response(seen(name), headers={SEEN: name}, media_type="text/plain")

    return view


def litestar(**limits: Any) -> RateLimitMiddleware:
    """Return a Litestar app with a router, behind the middleware."""
    router = Router(MOUNT, route_handlers=_handlers(mounted=True))
    app: Any = Litestar([*_handlers(mounted=False), router], openapi_config=None)
    return RateLimitMiddleware(app, **limits)
