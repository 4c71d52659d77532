"""Answers to requests that were admitted: at once from memory, or by the app."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate_sidecar.fronts.http.app.lazy import LazyApp
from sidegate_sidecar.fronts.http.checks import HttpChecks
from sidegate_sidecar.fronts.http.http11.reply import Reply, as_json, problem
from sidegate_sidecar.fronts.http.page.page import Page

if TYPE_CHECKING:
    from sidegate.link.address import Address
    from sidegate_sidecar.fronts.http.checks import TakeReply
    from sidegate_sidecar.fronts.http.http11.head import Head, HttpRequest
    from sidegate_sidecar.sidecar import Sidecar
    from sidegate_sidecar.telemetry.scrape import Scrape

_ALIVE = as_json(200, {"status": "ok"})
_READY = as_json(200, {"status": "ready"})


class Responder:
    """Answers for a sidecar."""

    def __init__(self, sidecar: Sidecar, address: Address, scrape: Scrape) -> None:
        self._sidecar = sidecar
        self._scrape = scrape
        self._app = LazyApp(sidecar, address, scrape)
        self._page = Page()
        self._checks = HttpChecks(sidecar.node, sidecar.rules_in_force)

    def at_once(self, head: Head) -> Reply:
        """Answer a probe or a scrape."""
        if head.path == "/metrics":
            return Reply(200, *self._scrape.render(head.fields.get("accept", "")))
        if head.path == "/readyz":
            why_not = self._sidecar.why_not_ready
            return problem(503, why_not) if why_not else _READY
        return _ALIVE

    def file(self, head: Head) -> Reply:
        """Answer with a file of the page at /."""
        return self._page.at(head.path)

    async def document(self, head: Head) -> Reply:
        """Answer a reader of the documentation."""
        return await self._app.page(head.path)

    def check(self, request: HttpRequest, take: TakeReply) -> bool:
        """Have a check answered, now or later; False for one that is a call of the API's."""
        return self._checks.ask(request.body, take)

    async def call(self, request: HttpRequest) -> Reply:
        """Answer a call of the API."""
        return await self._app.answer(request)
