"""Inquiries of an event loop: what people and scripts ask, and few at a time are answered."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from sidegate.client.answers import spent_of
from sidegate.client.keys.key_lists import key_list, keys_forgotten
from sidegate.client.keys.key_questions import LIST_PATIENCE, RESET_PATIENCE, about
from sidegate.client.memory import STANDING, listed_here, reset_here, spent_here
from sidegate.errors import NoReport, Unreachable
from sidegate.protocol.codec import refuse
from sidegate.protocol.key_messages import KeysListed, KeysReset
from sidegate.protocol.report_messages import REPORTED_WITHIN, ReportAnswer
from sidegate.reports.event_report import event_report_of, no_events
from sidegate.reports.report import nothing, report_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from sidegate.client.keys.key_lists import KeyList, KeysForgotten
    from sidegate.client.keys.key_questions import ListQuestion, ResetQuestion
    from sidegate.link.endpoint import Endpoint
    from sidegate.link.link import Link
    from sidegate.protocol.messages import Inquiry, InquiryAnswer
    from sidegate.protocol.report_messages import EventQuery, ReportQuery
    from sidegate.reports.event_report import EventReport
    from sidegate.reports.report import Report

    class Asking(Protocol):
        """What inquiries need of their session."""

        def why_unanswered(self, link: Link, budget: float) -> str:
            """Say why no answer has come."""
            ...

        def forget(self, key: str, *, begins: bool = False) -> None:
            """Forget what was said of a key that was reset, or of all that begin with it."""
            ...


# A sidecar closes a connection that asks it about 250 keys at a time.
MAX_INSPECTIONS: Final = 64
MAX_REPORTS: Final = 4  # that a loop asks for at a time, or lists of keys, or resets of many


class LoopInquiries:
    """What one session asks for people, of keys and for reports; nobody without a link."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        link: Link | None,
        options: Endpoint,
        session: Asking,
    ) -> None:
        self._loop = loop
        self._link = link
        self._options = options
        self._session = session
        self._inspecting = asyncio.Semaphore(MAX_INSPECTIONS)
        self._reporting = asyncio.Semaphore(MAX_REPORTS)

    async def inspect(self, key: str, *, reset: bool) -> dict[str, int]:
        """Return what a key has spent, and have it forgotten if `reset`; see `Client.peek`."""
        if instead := STANDING.decide or self._options.instead:
            return spent_here(instead, key, reset=reset)
        link = self._link
        if link is None:
            raise Unreachable(key, self._options.fault)
        deadline = self._loop.time() + self._options.budget
        async with self._inspecting:  # for a budget at most: those before give up by then
            budget = deadline - self._loop.time()
            found = None
            if budget > 0:
                found = await link.inspect(key, reset=reset, hops=0, budget=budget)
        if found is None:
            raise Unreachable(key, self._session.why_unanswered(link, self._options.budget))
        if reset:
            self._session.forget(key)
        return spent_of(key, found)

    async def list_keys(self, question: ListQuestion) -> KeyList:
        """Return the first keys in debt; see `Client.keys`."""
        if instead := STANDING.decide or self._options.instead:
            return key_list(listed_here(instead, question(0)))
        async with self._reporting:
            found = await self._inquire(question, LIST_PATIENCE, about(question(0)))
        return key_list(found) if isinstance(found, KeysListed) else refuse(found)

    async def reset_keys(self, question: ResetQuestion) -> KeysForgotten:
        """Have all keys forgotten that begin so; see `Client.reset_prefix`."""
        asked = question(0)
        if instead := STANDING.decide or self._options.instead:
            return keys_forgotten(reset_here(instead, asked))
        async with self._reporting:
            found = await self._inquire(question, RESET_PATIENCE, about(asked))
        self._session.forget(asked.prefix, begins=True)
        return keys_forgotten(found) if isinstance(found, KeysReset) else refuse(found)

    async def report(self, query: ReportQuery) -> Report:
        """Return what all nodes have decided of late; see `Client.report`."""
        if STANDING.decide or self._options.instead:
            return nothing(query)
        return report_of(query, await self._answer(query), time.time())

    async def events(self, query: EventQuery) -> EventReport:
        """Return what the apps of all nodes have recorded of late; see `Client.events`."""
        if STANDING.decide or self._options.instead:
            return no_events(query)
        return event_report_of(query, await self._answer(query), time.time())

    async def _answer(self, query: ReportQuery) -> ReportAnswer:
        link = self._link
        if link is None:
            raise NoReport(self._options.fault)
        async with self._reporting:
            answer = await link.inquire(
                lambda number: replace(query, id=number), self._options.budget + REPORTED_WITHIN
            )
        if not isinstance(answer, ReportAnswer):
            why = link.lacks(type(query)) or self._session.why_unanswered(
                link, self._options.budget + REPORTED_WITHIN
            )
            raise NoReport(why)
        return answer

    async def _inquire(
        self, question: Callable[[int], Inquiry], patience: float, about: str
    ) -> InquiryAnswer:
        link = self._link
        if link is None:
            raise Unreachable(about, self._options.fault)
        found = await link.inquire(question, max(self._options.budget, patience))
        if found is None:
            budget = max(self._options.budget, patience)
            raise Unreachable(
                about, link.lacks(type(question(0))) or self._session.why_unanswered(link, budget)
            )
        return found
