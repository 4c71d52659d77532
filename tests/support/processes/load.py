"""Requests that go on while something happens, and what became of each."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Final

import httpx2

from tests.support.apps.clients import async_client
from tests.support.apps.options import WORKER
from tests.support.processes.services import App

KEPT_ALIVE: Final = (True, True, False)
"""The connections to each app; one is opened anew for each request, so it meets all workers."""


@dataclass
class Load:
    """What one app answered so far. Times are in seconds of time.monotonic."""

    app: App
    asked: int = 0
    statuses: Counter[int] = field(default_factory=Counter[int])
    sources: Counter[str] = field(default_factory=Counter[str])
    took: list[float] = field(default_factory=list[float])
    latest: dict[tuple[str, str], float] = field(default_factory=dict[tuple[str, str], float])
    """When a worker process was last asked what a source then decided."""
    back: dict[str, float] = field(default_factory=dict[str, float])
    """When a worker first had an answer of the owner again after one that others gave."""

    def workers(self, source: str, since: float = 0.0) -> set[str]:
        """Return the worker processes that asked since then and were answered by a source."""
        return {worker for (worker, by), at in self.latest.items() if by == source and at > since}

    async def ask(self, client: httpx2.AsyncClient) -> None:
        """Make one request, and note what became of it."""
        asked_at, self.asked = monotonic(), self.asked + 1
        response = await client.get("/plenty")
        headers = response.headers
        source, worker = headers.get("sidegate-source", "owner"), headers.get(WORKER, "")
        self.statuses[response.status_code] += 1
        self.sources[source] += 1
        self.took.append(monotonic() - asked_at)
        self.latest[worker, source] = asked_at
        if source != "owner":
            self.back.pop(worker, None)
        elif any(at == worker and by != "owner" for at, by in self.latest):
            self.back.setdefault(worker, monotonic())


@asynccontextmanager
async def load(key: str, *apps: App) -> AsyncGenerator[list[Load]]:
    """Keep asking apps with this API key until the block ends; then each request is answered."""
    loads = [Load(app) for app in apps]
    over = asyncio.Event()

    async def go_on(load: Load, *, kept_alive: bool) -> None:
        headers = {"x-api-key": key, "connection": "keep-alive" if kept_alive else "close"}
        async with async_client(load.app.url, headers) as client:
            while not over.is_set():
                await load.ask(client)

    async with asyncio.TaskGroup() as group:
        for load in loads:
            for kept_alive in KEPT_ALIVE:
                group.create_task(go_on(load, kept_alive=kept_alive))
        try:
            yield loads
        finally:
            over.set()
    for load in loads:
        assert load.statuses.total() == load.asked
