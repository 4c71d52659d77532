"""Limits that depend: on plans, costs, responses and a file; and what unusual limits mean."""

import tomllib
from typing import Any

from fastapi import FastAPI, Request, Response

from tests.idioms.apps.limiters import limiter_of

CONFIG: dict[str, Any] = tomllib.loads("""
    [sidegate]
    limits = "6/day"
    headers = "legacy"

    [limits]
    reports = "2/day"
""")
PLANS = {"free": "1/day", "pro": "3/day; 100/year", "unlimited": None}

limiter = limiter_of("dynamic")
app = FastAPI()


async def plan(request: Request) -> str | None:
    """Return the limits of who asks, as from a database."""
    return PLANS[request.headers["x-plan"]]


def as_many_as_pages(request: Request) -> int:
    """Return the cost of a request."""
    return int(request.query_params["pages"])


@app.get("/plan")
@limiter.limit(plan)
async def by_plan() -> str:
    """Have the limits of a plan."""
    return "ok"


@app.get("/cost")
@limiter.limit("10/day", cost=4)
async def fixed_cost() -> str:
    """Cost four tokens."""
    return "ok"


@app.get("/pages")
@limiter.limit("10/day", cost=as_many_as_pages)
async def pages(pages: int) -> int:
    """Cost what is asked for."""
    return pages


@app.get("/failures")
@limiter.limit("2/day", charge_when=lambda response: response.status_code >= 400)
async def failures(response: Response, status: int) -> int:
    """Be charged for failures only."""
    response.status_code = status
    return status


@app.get("/blocked")
@limiter.limit("0/minute")
async def blocked() -> str:
    """Let nothing pass."""
    return "never"


@app.get("/seconds")
@limiter.limit("2/86400s")
async def seconds() -> str:
    """Have a period of seconds."""
    return "ok"


@app.get("/bucket")
@limiter.limit("2/day")
async def bucket() -> str:
    """Have no window."""
    return "ok"


@app.get("/quota")
@limiter.limit("2/day window")
async def quota() -> str:
    """Have the day as a window."""
    return "ok"


app.add_middleware(limiter.asgi)

configured = FastAPI()
from_file = limiter_of("configured", **CONFIG["sidegate"])


@configured.get("/reports")
@from_file.limit(lambda: CONFIG["limits"]["reports"])
async def reports() -> str:
    """Have a limit of the file."""
    return "ok"


configured.add_middleware(from_file.asgi)
