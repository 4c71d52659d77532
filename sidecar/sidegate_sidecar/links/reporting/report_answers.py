"""Report answers: what apps and nodes ask about reports on a link, a few at a time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from sidegate.protocol.codec import WireError

if TYPE_CHECKING:
    from sidegate.link.connection import Connection
    from sidegate.protocol.report_messages import ReportQuery
    from sidegate_sidecar.links.reporting.gathering import Gathering

MAX_ASKED: Final = 64  # at a time: they are for people and scripts


class ReportAnswers:
    """Answers each ReportQuery of an app, and of a node that asks for one. Too many are refused."""

    def __init__(self, gathering: Gathering) -> None:
        self._gathering = gathering
        self._tasks: set[asyncio.Task[None]] = set()

    def ask(self, connection: Connection, query: ReportQuery) -> None:
        """Answer one soon; WireError if there are too many, or if it isn't the asker's to ask."""
        is_node = connection.peer is not None and connection.peer.role == "node"
        if query.hops and not is_node:  # it would be told keys as they are
            raise WireError("bad-message", "hops 1 in a question about reports is for nodes")
        if len(self._tasks) >= MAX_ASKED:
            raise WireError("busy", f"more than {MAX_ASKED} questions about reports at a time")
        task = asyncio.get_running_loop().create_task(self._answer(connection, query))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, connection: Connection, query: ReportQuery) -> None:
        gathering = self._gathering
        answer = await (gathering.part(query) if query.hops else gathering.report(query))
        if answer is not None and not connection.transport.is_closing():
            connection.send(answer)
