"""Answers to requests that were admitted: at once from memory, or by the app."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from sidegate_sidecar.fronts.http.app.lazy import LazyApp
from sidegate_sidecar.fronts.http.http11.reply import as_json, problem
from sidegate_sidecar.fronts.http.scrape import Scrape
from sidegate_sidecar.telemetry.metrics import make_registry

if TYPE_CHECKING:
    from sidegate_sidecar.fronts.http.http11.head import Head, Request
    from sidegate_sidecar.fronts.http.http11.reply import Reply
    from sidegate_sidecar.sidecar import Sidecar

_ALIVE = as_json(200, {"status": "ok"})
_READY = as_json(200, {"status": "ready"})


class Answers:
    """Answers for a sidecar."""

    def __init__(self, sidecar: Sidecar) -> None:
        self._sidecar = sidecar
        self.scrape = Scrape(make_registry(sidecar), monotonic).reply
        self._app = LazyApp(sidecar)

    def at_once(self, head: Head) -> Reply:
        """Answer a probe or a scrape."""
        if head.path == "/metrics":
            return self.scrape(head.fields.get("accept", ""))
        if head.path == "/readyz":
            why_not = self._sidecar.why_not_ready
            return problem(503, why_not) if why_not else _READY
        return _ALIVE

    async def page(self, head: Head) -> Reply:
        """Answer a reader of the documentation."""
        return await self._app.page(head.path)

    async def call(self, request: Request) -> Reply:
        """Answer a call of the API."""
        return await self._app.answer(request)
