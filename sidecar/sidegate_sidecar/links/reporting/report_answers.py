"""Report answers: what apps and nodes ask about reports on a link, a few at a time."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Final

from sidegate.protocol.codec import WireError

if TYPE_CHECKING:
    from sidegate.link.connection import Connection
    from sidegate.protocol.report_messages import ReportAnswer, ReportPart, ReportQuery
    from sidegate_sidecar.links.reporting.gathering import Gathering

MAX_ASKED: Final = 1_000  # at a time, of all: they are for people and scripts
MAX_OF_ONE: Final = 64  # of one connection
MAX_GATHERED: Final = 8  # at a time: each is a question to all nodes


class ReportAnswers:
    """Answers each ReportQuery of an app, and of a node that asks for one.

    Who asks for too many at once is closed.
    """

    def __init__(self, gathering: Gathering) -> None:
        self._gathering = gathering
        self._tasks: set[asyncio.Task[None]] = set()
        self._of: Counter[Connection] = Counter()
        self._gate = asyncio.Semaphore(MAX_GATHERED)

    def ask(self, connection: Connection, query: ReportQuery) -> None:
        """Answer one soon; WireError if there are too many, or if it isn't the asker's to ask."""
        is_node = connection.peer is not None and connection.peer.role == "node"
        if query.hops and not is_node:  # it would be told keys as they are
            raise WireError("bad-message", "hops 1 in a question about reports is for nodes")
        if len(self._tasks) >= MAX_ASKED or self._of[connection] >= MAX_OF_ONE:
            raise WireError("busy", f"more than {MAX_OF_ONE} questions about reports at a time")
        self._of[connection] += 1
        task = asyncio.get_running_loop().create_task(self._answer(connection, query))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, connection: Connection, query: ReportQuery) -> None:
        try:
            answer: ReportPart | ReportAnswer | None
            if query.hops:
                answer = await self._gathering.part(query)
            else:
                async with self._gate:
                    answer = await self._gathering.report(query)
            if answer is not None and not connection.transport.is_closing():
                connection.send(answer)
        finally:
            self._of[connection] -= 1
            if not self._of[connection]:
                del self._of[connection]
