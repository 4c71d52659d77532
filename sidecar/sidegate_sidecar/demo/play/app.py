"""The demo's app: FastAPI with one line of sidegate, and a stopwatch around that line.

`python -m sidegate_sidecar.demo.play.app PORT`, with the sidecar's address in SIDEGATE_SIDECAR.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Final

import uvicorn
from fastapi import FastAPI

from sidegate import RateLimitMiddleware, header
from sidegate_sidecar.demo.play.setting import BUDGET, KEY_HEADER, LIMIT

if TYPE_CHECKING:
    from sidegate.asgi.types import App, Message, Receive, Scope, Send

_PASSED: Final = "sidegate.demo.passed"


class Stopwatch:
    """Says in Server-Timing how many milliseconds the limiter took: until it passed or refused."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        start = time.perf_counter()

        async def send_timed(message: Message) -> None:
            if message["type"] == "http.response.start":
                took = scope.get(_PASSED, time.perf_counter()) - start
                field = (b"server-timing", b"sidegate;dur=%.3f" % (took * 1e3))
                message = {**message, "headers": [*message["headers"], field]}
            await send(message)

        await self._app(scope, receive, send_timed)


class PassedAt:
    """Notes when the limiter has let a request through."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        scope[_PASSED] = time.perf_counter()
        await self._app(scope, receive, send)


async def hello() -> dict[str, str]:
    """Answer what a small app answers."""
    return {"hello": "world"}


def create_app() -> FastAPI:
    """Return the app, limited by API key; the middleware added last sees a request first."""
    app = FastAPI(title="sidegate demo")
    app.add_api_route("/", hello)
    app.add_middleware(PassedAt)
    app.add_middleware(RateLimitMiddleware, limits=LIMIT, key=header(KEY_HEADER), budget=BUDGET)
    app.add_middleware(Stopwatch)
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
