"""The demo's app: FastAPI with one line of sidegate.

`python -m sidegate_sidecar.demo.app PORT`, with the sidecar's address in SIDEGATE_SIDECAR.
"""

from __future__ import annotations

import sys

import uvicorn
from fastapi import FastAPI

from sidegate import RateLimitMiddleware, header
from sidegate_sidecar.demo.setting import BUDGET, KEY_HEADER, LIMIT


async def hello() -> dict[str, str]:
    """Answer what a small app answers."""
    return {"hello": "world"}


def create_app() -> FastAPI:
    """Return the app, limited by API key."""
    app = FastAPI(title="sidegate demo")
    app.add_api_route("/", hello)
    app.add_middleware(RateLimitMiddleware, limits=LIMIT, key=header(KEY_HEADER), budget=BUDGET)
    return app


def main() -> None:
    """Serve until SIGTERM."""
    uvicorn.run(
        create_app(),
        port=int(sys.argv[1]),
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=1,
    )


if __name__ == "__main__":
    main()
