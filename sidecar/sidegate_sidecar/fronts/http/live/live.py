"""Live: one look at the cluster a second for all readers of a node, as server-sent events."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from sidegate_sidecar.fronts.http.http11.reply import Reply, problem

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sidegate_sidecar.fronts.http.connection import HttpConnection
    from sidegate_sidecar.fronts.http.http11.head import Head

log = logging.getLogger("sidegate")

EVERY = 1.0  # seconds between two events
MAX_READERS = 32  # each may hold an event and what waits before it; people, not programs, read
_UNHELD = (("Cache-Control", "no-store"), ("X-Accel-Buffering", "no"))  # by proxies
_START = Reply(200, "text/event-stream", b"", _UNHELD)
FULL = f"{MAX_READERS} readers are here already, which is as many as may be: try again later"


class Live:
    """Readers, and what they are sent. `look` returns the next event as JSON on one line.

    Nobody looks while there is no reader. `may` tells if a reader still may read: secrets change.
    """

    def __init__(self, look: Callable[[], Awaitable[bytes]], may: Callable[[Head], bool]) -> None:
        self.readers: dict[HttpConnection, Head] = {}
        self.look = look
        self._may = may
        self._looking: asyncio.Task[None] | None = None

    def join(self, reader: HttpConnection, head: Head) -> None:
        """Have a reader sent each event from now on, until it goes."""
        if len(self.readers) >= MAX_READERS:
            reader.reply(problem(503, FULL, headers=[("Retry-After", "5")]))
            return
        reader.stream(_START)
        if not reader.streams:
            return
        self.readers[reader] = head
        if self._looking is None:
            self._looking = asyncio.get_running_loop().create_task(self._run())

    def leave(self, reader: HttpConnection) -> None:
        """Forget a reader, if it is one."""
        self.readers.pop(reader, None)

    def stop(self) -> None:
        """Look no more, and end all streams."""
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None
        for reader in list(self.readers):
            reader.close()

    async def _run(self) -> None:
        try:
            while self.readers:
                await self._tell()
                await asyncio.sleep(EVERY)
            self._looking = None  # at once: who joins next begins anew
        except Exception:
            log.exception("a fault in sidegate; please report it")
            self._looking = None
            self.stop()  # they come again

    async def _tell(self) -> None:
        event = b"data: " + await self.look() + b"\n\n"
        for reader, head in list(self.readers.items()):
            if self._may(head):
                reader.send(event)
            else:
                reader.close()
