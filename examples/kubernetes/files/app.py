"""The app: one route, limited by API key."""

import os

from fastapi import FastAPI

from sidegate import RateLimitMiddleware, header

app = FastAPI()
app.add_middleware(
    RateLimitMiddleware,
    limits=os.environ["LIMIT"],
    key=header("x-api-key"),
    exempt=["/healthz"],
)


@app.get("/")
async def hello() -> dict[str, str]:
    """Say hello, and from which pod."""
    return {"hello": "world", "pod": os.environ.get("HOSTNAME", "")}


@app.get("/healthz")
async def healthz() -> dict[str, str]:
    """Answer as often as the kubelet likes."""
    return {"status": "ok"}
