"""FastAPI and Starlette apps that know credentials."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, HTTPException
from fastapi.security import (
    APIKeyHeader,
    HTTPAuthorizationCredentials,
    HTTPBasic,
    HTTPBasicCredentials,
    HTTPBearer,
)
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sidegate import RateLimitMiddleware
from tests.cluster.spelling.credentials.accounts import knows_key, knows_token, knows_user
from tests.cluster.spelling.credentials.keyed import limits
from tests.cluster.spelling.credentials.readers import Knows


def fastapi() -> dict[str, FastAPI]:
    """Return an app for each thing that FastAPI reads itself, by its way."""
    knows: dict[str, Callable[..., bool]] = {
        "fastapi key APIKeyHeader": _scheme,
        "fastapi key Header()": _parameter,
        "fastapi bearer HTTPBearer": _bearer,
        "fastapi basic HTTPBasic": _basic,
    }
    return {way: _fastapi(known, **limits(way)) for way, known in knows.items()}


def _fastapi(knows: Callable[..., bool], **options: Any) -> FastAPI:
    app = FastAPI()

    @app.get("/")
    async def answer(known: Annotated[bool, Depends(knows)]) -> None:
        if not known:
            raise HTTPException(401)

    app.add_middleware(RateLimitMiddleware, **options)
    return app


def _scheme(key: Annotated[str, Depends(APIKeyHeader(name="X-Api-Key"))]) -> bool:
    return knows_key(key)


def _parameter(x_api_key: Annotated[str, Header()]) -> bool:
    return knows_key(x_api_key)


def _bearer(given: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]) -> bool:
    return knows_token(given.credentials)


def _basic(given: Annotated[HTTPBasicCredentials, Depends(HTTPBasic())]) -> bool:
    return knows_user(given.username, given.password)


def starlette(knows: Knows, **options: Any) -> Starlette:
    """Return an app that answers those who are known by the text of a field."""
    return _starlette(lambda request: knows(request.headers.get), **options)


def last_line(way: str) -> Starlette:
    """Return an app that makes a dict of the fields, so that the last line of a name counts."""
    return _starlette(
        lambda request: knows_key(dict(request.headers.items()).get("x-api-key")), **limits(way)
    )


def _starlette(knows: Callable[[Request], bool], **options: Any) -> Starlette:
    async def answer(request: Request) -> Response:
        return Response(status_code=200 if knows(request) else 401)

    app = Starlette(routes=[Route("/", answer)])
    app.add_middleware(RateLimitMiddleware, **options)
    return app
