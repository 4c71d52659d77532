"""The sender: starts each request at its planned moment, whatever the answers do."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

import aiohttp
from yarl import URL

from sidegate.http.headers import source_of
from sidegate_sidecar.loadtest.send.outcome import ERRORS, Outcome, outcome_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sidegate.buckets.decision import Source
    from sidegate_sidecar.loadtest.plan.schedule import Planned
    from sidegate_sidecar.loadtest.send.record import Records

KEEP: Final = 2.0  # seconds an idle connection is kept: uvicorn closes its side after 5
AT_ONCE: Final = 20  # requests that are begun before the loop has a turn, when we are behind
WARM_UP: Final = 20  # requests: more than are under way in a run that goes well
MAX_WORDS: Final = 120  # characters of an error


class Target:
    """Where the requests of each stream go, and by whom they are."""

    def __init__(
        self, urls: list[str], key_names: list[str], key_header: str, headers: Mapping[str, str]
    ) -> None:
        """`key_names` are what the keys of each stream begin with; `urls` one a stream too."""
        self.urls = [URL(url, encoded=True) for url in urls]
        self._key_names = key_names
        self._key_header = key_header
        self._headers = dict(headers)

    def headers(self, stream: int, key: int) -> Mapping[str, str]:
        """Return the header fields of a request by a key."""
        if not self._key_header:
            return self._headers
        return {**self._headers, self._key_header: f"{self._key_names[stream]}{key}"}


class Sender:
    """Sends what is planned, an open loop; at most `most` requests are under way.

    One that is due while so many are is held back: recorded, and never sent. `timeout` is in
    seconds, from when a request is really started.
    """

    def __init__(self, target: Target, records: Records, most: int, timeout: float) -> None:
        self._target = target
        self._records = records
        self._most = most
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._tasks: set[asyncio.Task[None]] = set()
        self._begun = time.monotonic()

    @property
    def now(self) -> float:
        """Seconds since the start of the run."""
        return time.monotonic() - self._begun

    async def run(self, planned: Iterable[Planned], session: aiohttp.ClientSession) -> None:
        """Send all, and return once all are answered or given up.

        When it is cancelled it sends no more, waits for the answers, and is cancelled then.
        """
        self._begun = time.monotonic()
        try:
            await self._send_all(planned, session)
        finally:
            while self._tasks:
                await asyncio.wait(self._tasks)

    async def warm_up(self, stream: int, session: aiohttp.ClientSession) -> None:
        """Send WARM_UP requests of a stream at once, and forget what they came to.

        Names are looked up then, and connections made all along the way to the app. It is for a
        stream without a limit, and before the run: the first requests would pay for it.
        """
        numbers = range(min(WARM_UP, self._most))
        sent = [self._ask(session, stream, number) for number in numbers]
        await asyncio.gather(*sent)

    def session(self) -> aiohttp.ClientSession:
        """Return a session that this sender can use."""
        connector = aiohttp.TCPConnector(limit=self._most, keepalive_timeout=KEEP)
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=self._timeout,
            auto_decompress=False,
        )

    async def _send_all(self, planned: Iterable[Planned], session: aiohttp.ClientSession) -> None:
        at_once = 0
        for request in planned:
            at_once += 1
            while (wait := request.at - self.now) > 0:
                await asyncio.sleep(wait)
                at_once = 0
            if at_once == AT_ONCE:
                await asyncio.sleep(0)
                at_once = 0
            self._send(request, session)

    def _send(self, request: Planned, session: aiohttp.ClientSession) -> None:
        now, stream = self.now, request.stream
        number = self._records.begin(stream, request.at, request.key, now)
        if len(self._tasks) >= self._most:
            self._records.end(stream, number, Outcome.HELD_BACK, None, now)
            return
        task = asyncio.create_task(self._request(session, stream, number, request.key))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _request(
        self, session: aiohttp.ClientSession, stream: int, number: int, key: int
    ) -> None:
        self._records.start(stream, number, self.now)
        outcome, source, what = await self._ask(session, stream, key)
        self._records.end(stream, number, outcome, source, self.now)
        if outcome in ERRORS:
            self._records.error(what)

    async def _ask(
        self, session: aiohttp.ClientSession, stream: int, key: int
    ) -> tuple[Outcome, Source | None, str]:
        """Send one request: what it came to, who decided it, and the first two in words."""
        url, headers = self._target.urls[stream], self._target.headers(stream, key)
        try:
            async with session.get(url, headers=headers, allow_redirects=False) as answer:
                while await answer.content.readany():
                    pass  # its end counts, and no body is too large
        except TimeoutError:
            return Outcome.TIMEOUT, None, f"no answer within {self._timeout.total:g} s"
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Outcome.BROKEN, None, f"{type(error).__name__}: {error}"[:MAX_WORDS]
        source = source_of(answer.headers)
        return outcome_of(answer.status, source), source, f"status {answer.status}"
