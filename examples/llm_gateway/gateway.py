"""The gateway: `uvicorn llm_gateway.gateway:app`."""

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from sidegate import Client

from .answers import Answer, Parts
from .calls import call_of
from .problems import Problem, bad_request
from .settings import Account, Settings, digest
from .upstream import model_server


def create_app(settings: Settings) -> FastAPI:
    """Return the app."""
    client = Client(on_unreachable=settings.on_unreachable, budget=settings.budget)
    http = model_server(settings.upstream)
    parts = Parts(client, http, settings.send_seconds)
    accounts = settings.by_digest()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        async with http, client:
            yield
            await parts.wait_for_answers()

    app = FastAPI(lifespan=lifespan, openapi_url=None)

    @app.post("/v1/chat/completions")
    async def chat_completions(request: Request) -> Response:
        account = account_of(request, accounts)  # before anything of a stranger is read
        call = await call_of(request)
        return Answer(parts, account, call)

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    app.add_exception_handler(Problem, tell_problem)
    app.add_exception_handler(HTTPException, tell_no_route)
    return app


def account_of(request: Request, accounts: dict[bytes, Account]) -> Account:
    """Return whose key a request has. Problem."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    account = accounts.get(digest(key.strip())) if scheme.lower() == "bearer" else None
    if account is None:
        message = "The API key isn't known. Send it as Authorization: Bearer KEY."
        raise Problem(
            401, "invalid_request_error", "invalid_api_key", message, {"www-authenticate": "Bearer"}
        )
    return account


async def tell_problem(_: Request, problem: Exception) -> JSONResponse:
    """Answer what was wrong with a call."""
    assert isinstance(problem, Problem), "registered for these"
    return problem.response()


async def tell_no_route(_: Request, error: Exception) -> JSONResponse:
    """Answer what comes to no route in the same form."""
    assert isinstance(error, HTTPException), "registered for these"
    return bad_request("unknown_url", str(error.detail), error.status_code).response()


app = create_app(Settings.of(os.environ))
