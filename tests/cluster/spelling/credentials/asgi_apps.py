"""Apps that know credentials, in all ASGI frameworks: a field of the request picks one."""

# Litestar reads the types of views when it is built.

from typing import Annotated, Any

from litestar import Litestar, Request, Response, get
from litestar.params import HeaderParameter
from quart import Quart, request
from quart import Response as QuartResponse

from sidegate import RateLimitMiddleware
from tests.cluster.spelling.credentials import django_secrets, fastapi_secrets
from tests.cluster.spelling.credentials.accounts import knows_basic, knows_bearer, knows_key
from tests.cluster.spelling.credentials.keyed import by_text, limits
from tests.cluster.spelling.credentials.readers import Knows
from tests.cluster.spelling.serving.picking import asgi


def _quart(knows: Knows, **options: Any) -> Quart:
    app = Quart(__name__)

    @app.get("/")
    async def answer() -> QuartResponse:
        return QuartResponse(status=200 if knows(request.headers.get) else 401)

    inner: Any = app.asgi_app
    limited: Any = RateLimitMiddleware(inner, **options)
    app.asgi_app = limited  # type: ignore[method-assign]  # as Quart documents it
    return app


def _litestar(knows: Knows, **options: Any) -> RateLimitMiddleware:
    @get("/")
    async def answer(request: Request[Any, Any, Any]) -> Response[str]:
        return Response("", status_code=200 if knows(request.headers.get) else 401)

    app: Any = Litestar([answer], openapi_config=None)
    return RateLimitMiddleware(app, **options)


def _parameter(way: str) -> RateLimitMiddleware:
    @get("/")
    async def answer(key: Annotated[str, HeaderParameter(name="X-Api-Key")]) -> Response[str]:
        return Response("", status_code=200 if knows_key(key) else 401)

    app: Any = Litestar([answer], openapi_config=None)
    return RateLimitMiddleware(app, **limits(way))


_QUART: dict[str, Knows] = {
    "quart bearer authorization": lambda _: knows_bearer(request.authorization),
    "quart basic authorization": lambda _: knows_basic(request.authorization),
}
_BY_TEXT = {"starlette": fastapi_secrets.starlette, "quart": _quart, "litestar": _litestar}

app = asgi(
    {
        **by_text(_BY_TEXT),
        **fastapi_secrets.fastapi(),
        **django_secrets.asgi(),
        **{way: _quart(knows, **limits(way)) for way, knows in _QUART.items()},
        "starlette key last line": fastapi_secrets.last_line("starlette key last line"),
        "litestar key parameter": _parameter("litestar key parameter"),
    }
)
