"""The app behind the front: imported when somebody asks for what only it has.

Importing it takes 22 MiB and 400 ms of CPU, which most sidecars never need.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

import msgspec

from sidegate_sidecar.fronts.http.http11.reply import JSON, Reply

if TYPE_CHECKING:
    from collections.abc import Generator

    from sidegate.link.address import Address
    from sidegate_sidecar.fronts.http.app.memory import AppServer
    from sidegate_sidecar.fronts.http.http11.head import HttpRequest
    from sidegate_sidecar.sidecar import Sidecar
    from sidegate_sidecar.telemetry.scrape import Scrape

SWITCH_EVERY = 0.0005  # seconds for which the importing thread may keep the loop waiting; not 5 ms


class LazyApp:
    """The FastAPI app of a sidecar, on uvicorn, and the pages that document it."""

    def __init__(self, sidecar: Sidecar, address: Address, scrape: Scrape) -> None:
        self._sidecar = sidecar
        self._address = address
        self._scrape = scrape
        self._loading: asyncio.Future[AppServer] | None = None
        self._pages: dict[str, Reply] = {}

    async def answer(self, request: HttpRequest) -> Reply:
        """Return what the app replies to a request."""
        server = await self._server()
        return await server.answer(request)

    async def page(self, path: str) -> Reply:
        """Return a page of the documentation. It is made once: it never changes."""
        if path not in self._pages:
            server = await self._server()
            self._pages = await asyncio.to_thread(_pages_of, server)
        return self._pages[path]

    async def _server(self) -> AppServer:
        """Return the app, imported by a thread so that checks go on; tried again if it failed."""
        loading = self._loading
        if loading is None or (loading.done() and loading.exception()):
            loading = self._loading = asyncio.ensure_future(asyncio.to_thread(self._load))
        return await asyncio.shield(loading)

    def _load(self) -> AppServer:
        with _switching_often():
            from sidegate_sidecar.fronts.http.app.api import create_app  # noqa: PLC0415  # see above
            from sidegate_sidecar.fronts.http.app.memory import AppServer  # noqa: PLC0415

            server = AppServer(create_app(self._sidecar, self._address, self._scrape))
        if gc.get_freeze_count():  # as in a process of its own, which freezes what it begins with
            gc.freeze()  # else the next collection stops the loop for 100 ms, to look at all of it
        return server


def _pages_of(server: AppServer) -> dict[str, Reply]:
    with _switching_often():
        from sidegate_sidecar.fronts.http.app.reference import GUARDS, page_of  # noqa: PLC0415

        document = server.app.openapi()
        page = Reply(200, "text/html; charset=utf-8", page_of(document).encode(), GUARDS)
        return {
            "/openapi.json": Reply(200, JSON, msgspec.json.encode(document)),
            "/docs": page,
            "/redoc": page,
        }


def require_app() -> None:
    """Raise ModuleNotFoundError if a package of the app is missing, before anyone asks for it."""
    for name in ("fastapi", "uvicorn"):
        if find_spec(name) is None:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


@contextmanager
def _switching_often() -> Generator[None]:
    usual = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_EVERY)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)
