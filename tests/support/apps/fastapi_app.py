"""A FastAPI app, limited."""

import os

from fastapi import FastAPI, Request, Response

from sidegate.asgi.middleware import RateLimitMiddleware
from tests.support.apps.options import OPTIONS, WORKER

app = FastAPI()
app.add_middleware(RateLimitMiddleware, **OPTIONS)


@app.api_route("/{path:path}", methods=["GET", "HEAD", "POST"])
async def echo(request: Request, response: Response) -> dict[str, str]:
    """Tell what was asked."""
    response.headers[WORKER] = str(os.getpid())
    return {"path": request.url.path}
