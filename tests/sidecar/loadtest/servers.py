"""Servers to be load-tested: one that limits as it should, and some that don't keep their word."""

import asyncio
import socket
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import uvicorn
from aiohttp import web

from sidegate import RateLimitMiddleware, Rule, header
from sidegate.asgi.types import App, Receive, Scope, Send
from sidegate_sidecar.process import Process
from tests.support.in_process.cluster import GENEROUS, client, eventually

LIMIT = "5/second"


@asynccontextmanager
async def lying(answer: Callable[[web.Request], Awaitable[web.Response]]) -> AsyncGenerator[str]:
    """Serve what `answer` says, whatever is asked; yield the URL."""
    app = web.Application()
    app.router.add_get("/{tail:.*}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    listener = _listener()
    await web.SockSite(runner, listener).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        await runner.cleanup()


def says(status: int) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Answer everything with one status."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status)

    return answer


class Held:
    """Answers nobody until it may go on; counts who asks."""

    def __init__(self) -> None:
        self.asked = 0
        self.go = asyncio.Event()

    async def answer(self, _: web.Request) -> web.Response:
        """Answer once it may."""
        self.asked += 1
        await self.go.wait()
        return web.Response()


class Stalling:
    """Answers at once, but stands still once: who asks within `seconds` from then on waits."""

    def __init__(self, after: float, seconds: float) -> None:
        self._after = after
        self._seconds = seconds
        self._first: float | None = None

    async def answer(self, _: web.Request) -> web.Response:
        """Answer now, or once it stands still no more."""
        now = time.monotonic()
        self._first = now if self._first is None else self._first
        begin = self._first + self._after
        if begin <= now < begin + self._seconds:
            await asyncio.sleep(begin + self._seconds - now)
        return web.Response()


@asynccontextmanager
async def truthful(sidecar: Process, limit: str = LIMIT) -> AsyncGenerator[str]:
    """Serve an app that our middleware limits below /limited, by a sidecar; yield the URL."""
    api_key = header("x-api-key")
    async with client(sidecar, budget=5.0, remember_denials=True) as asking:
        rules = [Rule("api", limit, path="/limited", key=api_key)]
        app = RateLimitMiddleware(hello, rules=rules, client=asking)
        async with _running(app) as url:
            yield url


@asynccontextmanager
async def _running(app: App) -> AsyncGenerator[str]:
    listener = _listener()
    config = uvicorn.Config(app, lifespan="off", log_level="warning", access_log=False)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve([listener]))
    try:
        await eventually(lambda: server.started)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        async with asyncio.timeout(GENEROUS):
            await serving


async def hello(_: Scope, __: Receive, send: Send) -> None:
    """Answer every request."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


def _listener() -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    return listener
