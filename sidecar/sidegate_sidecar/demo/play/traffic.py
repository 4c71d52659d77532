"""Traffic: requests to all apps at a fixed rate, whether they are answered quickly or not."""

from __future__ import annotations

import asyncio
import random
import re
import time
from typing import TYPE_CHECKING, Final

import httpx2

from sidegate.http.headers import source_of
from sidegate_sidecar.demo.play.setting import KEY_HEADER
from sidegate_sidecar.demo.play.tally import AppReply

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sidegate_sidecar.demo.play.tally import DemoTally

MAX_IN_FLIGHT: Final = 60  # requests: two thirds of a second's; beyond it, some are held back
MAX_AT_ONCE: Final = 20  # requests that are made up for at once after a pause of this process
TIMEOUT: Final = 5.0  # seconds; then a request counts as unanswered
KEEP: Final = 2.0  # seconds an idle connection is kept: uvicorn closes its side after 5

_ADDED: Final = re.compile(r"sidegate;dur=([0-9.]+)")


class Traffic:
    """An open loop: `rate` requests a second, to each app in turn, by keys drawn at random."""

    def __init__(
        self, apps: Mapping[str, str], keys: Sequence[str], rate: float, tally: DemoTally
    ) -> None:
        self._apps = list(apps.items())
        self._keys = keys
        self._rate = rate
        self._tally = tally
        self._draw = random.Random(1).choice  # noqa: S311  # the same traffic at every run
        self._in_flight: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Send until cancelled, then wait for the answers that are due."""
        limits = httpx2.Limits(max_connections=MAX_IN_FLIGHT, keepalive_expiry=KEEP)
        async with httpx2.AsyncClient(limits=limits, timeout=TIMEOUT, trust_env=False) as client:
            try:
                await self._send_on(client)
            finally:
                await asyncio.gather(*self._in_flight)

    async def _send_on(self, client: httpx2.AsyncClient) -> None:
        start, sent = time.monotonic(), 0
        while True:
            due = int((time.monotonic() - start) * self._rate)
            for number in range(sent, min(due, sent + MAX_AT_ONCE)):
                self._send(client, number)
            sent = due
            await asyncio.sleep(1 / self._rate)

    def _send(self, client: httpx2.AsyncClient, number: int) -> None:
        app, url = self._apps[number % len(self._apps)]
        key = self._draw(self._keys)
        if len(self._in_flight) >= MAX_IN_FLIGHT:
            self._tally.held_back += 1
            return
        task = asyncio.create_task(self._request(client, app, url, key))
        self._in_flight.add(task)
        task.add_done_callback(self._in_flight.discard)

    async def _request(self, client: httpx2.AsyncClient, app: str, url: str, key: str) -> None:
        sent = time.monotonic()
        try:
            response = await client.get(url, headers={KEY_HEADER: key})
        except httpx2.HTTPError:
            reply = AppReply(app, key, sent, 0, "")
        else:
            reply = _reply(app, key, sent, response)
        self._tally.note(reply, time.monotonic())


def _reply(app: str, key: str, sent: float, response: httpx2.Response) -> AppReply:
    headers = response.headers
    added = _ADDED.search(headers.get("server-timing", ""))
    seconds = float(added[1]) / 1e3 if added else None
    return AppReply(app, key, sent, response.status_code, source_of(headers) or "", seconds)
