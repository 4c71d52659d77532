"""Whom a limit counts: address and API key, the user that authentication found, a body's field."""

from typing import Annotated

from fastapi import Depends, FastAPI, Header, Request
from starlette.authentication import (
    AuthCredentials,
    AuthenticationBackend,
    BaseUser,
    SimpleUser,
)
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import HTTPConnection

from sidegate import header
from tests.idioms.apps.limiters import limiter_of

limiter = limiter_of("keys")
app = FastAPI()


class ByHeader(AuthenticationBackend):
    """Believes x-user."""

    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, BaseUser] | None:
        """Return the user, None for nobody."""
        name = conn.headers.get("x-user")
        return (AuthCredentials(["authenticated"]), SimpleUser(name)) if name else None


def user_or_ip(request: Request) -> str:
    """Return the user that the middleware found, else the address."""
    user: BaseUser = request.user
    return f"user={user.display_name}" if user.is_authenticated else limiter.current.view.peer


async def token_user(x_token: Annotated[str, Header()]) -> str:
    """Find the user of a token, as dependencies do."""
    return x_token.removeprefix("token-of-")


async def username(request: Request) -> str:
    """Return a field of the body, which the route reads again."""
    body: dict[str, str] = await request.json()
    return f"username={body['username'].lower()}"


@app.get("/two-keys")
@limiter.limit("4/day")
@limiter.limit("2/day", key=header("x-api-key"))
async def two_keys() -> str:
    """Count addresses and API keys."""
    return "ok"


@app.get("/user")
@limiter.limit("2/day", key=user_or_ip)
async def by_user() -> str:
    """Count users."""
    return "ok"


@app.get("/token", dependencies=[Depends(limiter.dep("2/day", key=Depends(token_user)))])
async def by_token(user: Annotated[str, Depends(token_user)]) -> str:
    """Count the users that a dependency finds."""
    return user


@app.post("/login")
@limiter.limit("2/day", key=username)
async def login(request: Request) -> str:
    """Count names that are tried."""
    body: dict[str, str] = await request.json()
    return body["username"]


app.add_middleware(limiter.asgi)
app.add_middleware(AuthenticationMiddleware, backend=ByHeader())
