"""What a refused client reads, who is told of it, and what a handler knows."""

import logging

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.types import Message, Receive, Scope, Send

from sidegate import Decision, RateLimitExceeded
from tests.idioms.apps.limiters import limiter_of

log = logging.getLogger("breaches")
breaches: list[str] = []


def told(request: Request, decision: Decision) -> None:
    """Note a breach, and leave the usual response."""
    log.warning("ratelimit %s exceeded at %s", decision.limits.text, request.url.path)
    breaches.append(f"{decision.limits.text} at {request.url.path}")


def own_body(_: Request, decision: Decision) -> tuple[dict[str, float], int, dict[str, str]]:
    """Answer with a body, a status and a field."""
    return {"wait": decision.retry_after}, 503, {"x-reason": "limit"}


limiter = limiter_of("responses", on_denied=told)
app = FastAPI()


@app.get("/usual")
@limiter.limit("1/day")
async def usual() -> str:
    """Be refused in the usual form."""
    return "ok"


@app.get("/message")
@limiter.limit("1/day", error_message="come back tomorrow")
async def message() -> str:
    """Say it in other words."""
    return "ok"


@app.get("/on-denied")
@limiter.limit("1/day", on_denied=own_body)
async def on_denied() -> str:
    """Be refused in a form of its own."""
    return "ok"


@app.get("/breaches")
async def show_breaches() -> list[str]:
    """Show what was noted."""
    return breaches


@app.get("/current")
@limiter.limit("3/day")
async def current() -> dict[str, float | int | bool | None]:
    """Show what is left."""
    now = limiter.current
    return {"limit": now.limit, "remaining": now.remaining, "allowed": now.allowed}


app.add_middleware(limiter.asgi)

# --- exception handlers

handled = FastAPI()
handling = limiter_of("handled")


@handled.exception_handler(RateLimitExceeded)
async def slow_down(request: Request, error: RateLimitExceeded) -> HTMLResponse:
    """Answer with a page."""
    page = f"<h1>{request.url.path}: slow down, {error.decision.limits.text}</h1>"
    return HTMLResponse(page, status_code=429)


@handled.get("/page")
@handling.limit("1/day")
async def page() -> str:
    """Be refused by a page."""
    return "ok"


handled.add_middleware(handling.asgi)

by_status = FastAPI()


@by_status.exception_handler(429)
async def too_many(_: Request, error: Exception) -> JSONResponse:
    """Answer all 429 alike."""
    return JSONResponse({"error": type(error).__name__}, status_code=429)


@by_status.get("/json")
@handling.limit("1/day")
async def as_json() -> str:
    """Be refused by the handler of a status."""
    return "ok"


by_status.add_middleware(handling.asgi)

# --- fields

quiet, legacy = FastAPI(), FastAPI()
without, with_legacy = limiter_of("quiet", headers=None), limiter_of("legacy", headers="legacy")


@quiet.get("/")
@without.limit("1/day")
@legacy.get("/")
@with_legacy.limit("1/day")
async def fields() -> str:
    """Have fields, or none."""
    return "ok"


class Renaming:
    """Gives the fields names of its own, as `header_name_mapping` does elsewhere."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""

        async def renamed(message: Message) -> None:
            if message["type"] == "http.response.start":
                left = without.current.remaining
                message["headers"] = [*message["headers"], (b"x-left", str(left).encode())]
            await send(message)

        await self.app(scope, receive, renamed)


quiet.add_middleware(Renaming)  # type: ignore[arg-type]  # Starlette wants any ASGI app
quiet.add_middleware(without.asgi)
legacy.add_middleware(with_legacy.asgi)
