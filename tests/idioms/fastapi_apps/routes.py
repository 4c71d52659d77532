"""Limits of routes: by decorator, by dependency, by default, for all, for classes and routers."""

from fastapi import APIRouter, Depends, FastAPI
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from tests.idioms.apps.limiters import limiter_of

limiter = limiter_of("routes", "9/day", default_limits="4/day")


# --- FastAPI

app = FastAPI()


@app.get("/decorated/{number}")
@limiter.limit("2/day")
async def decorated(number: int) -> int:
    """Have a limit of its own, whatever the number; and no argument for the request."""
    return number


@limiter.limit("2/day")
@app.get("/decorated-above")
def decorated_above() -> str:
    """Have the decorators in the other order, and run in a thread."""
    return "ok"


@app.get("/depends", dependencies=[Depends(limiter.dep("2/day"))])
async def depends() -> str:
    """Have a limit by dependency."""
    return "ok"


@app.get("/one")
@app.get("/uno")
async def one() -> str:
    """Have the default limits, by whichever path."""
    return "ok"


@app.get("/two")
async def two() -> str:
    """Have the default limits, counted apart from those of the others."""
    return "ok"


@app.get("/both")
@limiter.limit("3/day", override_defaults=False)
async def both() -> str:
    """Have the default limits and one of its own."""
    return "ok"


@app.api_route("/posts", methods=["GET", "POST"])
@limiter.limit("2/day", methods=["POST"])
async def posts() -> str:
    """Have a limit for one method, and the default for the other."""
    return "ok"


@app.api_route("/each", methods=["GET", "POST"])
@limiter.limit("2/day", per_method=True)
async def each() -> str:
    """Count each method for itself."""
    return "ok"


# --- routers and mounted apps

of_each = APIRouter(prefix="/of-each", dependencies=[Depends(limiter.dep("2/day"))])
together = APIRouter(
    prefix="/together", dependencies=[Depends(limiter.dep("3/day", scope="together"))]
)


@of_each.get("/a")
@together.get("/a")
async def routed_a() -> str:
    """Have the limits of its router."""
    return "ok"


@of_each.get("/b")
@together.get("/b")
async def routed_b() -> str:
    """Have the limits of its router."""
    return "ok"


outer = APIRouter(prefix="/outer")
outer.include_router(of_each)
outer.include_router(together)
app.include_router(outer)


# --- Starlette, mounted: classes of views


@limiter.limit("2/day", per_method=True)
class Things(HTTPEndpoint):
    """Has a limit on the class."""

    async def get(self, _: Request) -> PlainTextResponse:
        """Count for itself."""
        return PlainTextResponse("got")

    async def post(self, _: Request) -> PlainTextResponse:
        """Count for itself."""
        return PlainTextResponse("posted")


class Others(HTTPEndpoint):
    """Has a limit on one method."""

    async def get(self, _: Request) -> PlainTextResponse:
        """Have the default limits."""
        return PlainTextResponse("got")

    @limiter.limit("1/day")
    async def post(self, _: Request) -> PlainTextResponse:
        """Have a limit of its own."""
        return PlainTextResponse("posted")


inner = Starlette(routes=[Route("/things", Things), Route("/others", Others)])
app.mount("/classes", Starlette(routes=[Mount("/inner", inner)]))

app.add_middleware(limiter.asgi)
