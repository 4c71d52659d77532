"""Report answers: what apps and nodes ask about reports on a link, a few at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sidegate.protocol.codec import WireError
from sidegate_sidecar.links.answering import Answering, is_node

if TYPE_CHECKING:
    from sidegate.link.connection import Connection
    from sidegate.protocol.report_messages import ReportAnswer, ReportPart, ReportQuery
    from sidegate_sidecar.links.reporting.gathering import Gathering

MAX_OF_ONE: Final = 64  # of one connection


class ReportAnswers:
    """Answers each ReportQuery of an app, and of a node that asks for one."""

    def __init__(self, gathering: Gathering) -> None:
        self._gathering = gathering
        self._answering = Answering("questions about reports", MAX_OF_ONE)

    def ask(self, connection: Connection, query: ReportQuery) -> None:
        """Answer one soon; WireError if there are too many, or if it isn't the asker's to ask."""
        if query.hops and not is_node(connection):  # it would be told keys as they are
            raise WireError("bad-message", "hops 1 in a question about reports is for nodes")
        self._answering.ask(connection, lambda: self._answer(connection, query))

    async def _answer(self, connection: Connection, query: ReportQuery) -> None:
        answer: ReportPart | ReportAnswer | None
        if query.hops:
            answer = await self._gathering.part(query)
        else:
            answer = await self._gathering.report(query)
        if answer is not None and not connection.transport.is_closing():
            connection.send(answer)
