"""The quick start and the examples of slowapi: Starlette and FastAPI, side by side.

Neither asks for a `request` argument, and no exception handler needs to be set.
"""

from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from sidegate import Limiter

# --- Starlette: a limit for all routes, one that is exempt, one that costs what it is sent

by_default = Limiter(default_limits=["1/hour"], service="slowapi-starlette", trusted_proxies=1)
starlette = Starlette()


async def size(request: Request) -> int:
    """Return what a request costs: a token for each byte."""
    return len(await request.body())


async def home(_: Request) -> PlainTextResponse:
    """Have the default limit."""
    return PlainTextResponse("once in an hour")


@by_default.exempt
async def status(_: Request) -> PlainTextResponse:
    """Have none."""
    return PlainTextResponse("as often as you like")


@by_default.limit("100/hour", cost=size)
async def upload(_: Request) -> PlainTextResponse:
    """Have a limit of bytes."""
    return PlainTextResponse("stored")


starlette.add_route("/home", home)
starlette.add_route("/status", status)
starlette.add_route("/upload", upload, methods=["POST"])
starlette.add_middleware(by_default.asgi)

# --- FastAPI: limits of routes

limiter = Limiter(service="slowapi-fastapi", trusted_proxies=1)
app = FastAPI()


@app.get("/healthz")
def alive() -> str:
    """Say so."""
    return "ok"


@app.get("/home")
@limiter.limit("5/hour")
async def homepage() -> str:
    """Have a limit."""
    return "earth"


@app.get("/mars")
@limiter.limit("5/hour")
def mars() -> dict[str, str]:
    """Have one of its own, in a thread."""
    return {"planet": "mars"}


@app.get("/planets/{name}")
@limiter.limit("2/hour")
async def planet(name: str) -> str:
    """Have one limit for all names."""
    return name


app.mount("/starlette", starlette)
app.add_middleware(limiter.asgi)

# --- switched off

disabled = FastAPI()
off = Limiter("1/hour", service="slowapi-off", enabled=False)
disabled.get("/")(alive)
disabled.add_middleware(off.asgi)
app.mount("/disabled", disabled)
