"""The questions on a link: frames that leave, or wait for a connection, and the timer over them.

Which are in flight, and for how long, is in `in_flight.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING, TypeAlias

from sidegate.link.health import LinkState
from sidegate.link.in_flight import Asker, InFlight, halves
from sidegate.protocol.codec import HEADER_BYTES, MAX_FRAME_BYTES, encode
from sidegate.protocol.messages import MAX_CHECKS, Check, Checks, TracedChecks
from sidegate.protocol.traces import traces_at

if TYPE_CHECKING:
    from sidegate.link.connection import Connection
    from sidegate.link.health import Health
    from sidegate.protocol.messages import Ids, Inquiry, InquiryAnswer, Trace

_CONNECTING, _UP = LinkState.CONNECTING, LinkState.UP  # quicker to look up

Posed: TypeAlias = "tuple[int, asyncio.Future[InquiryAnswer | None]]"
"""The number of a question, and the answer to come: None if there is no connection, or no more."""

Silent: TypeAlias = Callable[[float], None]
"""Called, with the time, when a budget ran out and the other side is silent."""


class Questions:
    """What one link is asked, over the connection that it has, or will have. One timer serves all.

    The link's `health` says whether it takes any.
    """

    def __init__(
        self, health: Health, flights: InFlight, silent: Silent, max_in_flight: int
    ) -> None:
        self._health = health
        self._flights = flights
        self._silent = silent
        self._max_in_flight = max_in_flight
        self._loop = asyncio.get_running_loop()
        self._connection: Connection | None = None
        self._waiting: dict[int, bytes | Inquiry] = {}  # for the handshake
        self._inquiries: dict[int, asyncio.Future[InquiryAnswer | None]] = {}
        self._last_id = 0
        self._timer: asyncio.TimerHandle | None = None

    # --- asking

    def ask(
        self,
        checks: list[Check],
        hops: int,
        budget: float,
        asker: Asker,
        ids: Ids = (0, None),
        traces: list[Trace] | None = None,
    ) -> bool:
        """Send checks; see Link.ask."""
        count = len(checks)
        state = self._health.state
        if state is not _UP and state is not _CONNECTING:
            return False
        if self._flights.checks + count > self._max_in_flight:
            return False
        self._last_id = number = self._last_id + 1
        message = Checks(number, hops, int(budget * 1e6), checks, ids[0], ids[1])
        if traces is not None:
            message = TracedChecks(number, hops, message.budget, checks, *ids, traces)
        if count > MAX_CHECKS:
            return self._ask_halves(message, budget, asker)
        frame = encode(message)
        if len(frame) > MAX_FRAME_BYTES + HEADER_BYTES:
            return count > 1 and self._ask_halves(message, budget, asker)
        wake_at = self._flights.add(number, asker, count, budget, self._loop.time())
        if wake_at < inf:
            self._wake_at(wake_at)
        if self._connection is not None:
            self._connection.write(frame)
        else:
            self._waiting[number] = frame
        return True

    def _ask_halves(self, whole: Checks, budget: float, asker: Asker) -> bool:
        """Send what doesn't fit into one frame in two."""
        count = len(whole.checks)
        middle = count // 2
        places = list(range(count)) if whole.places is None else whole.places
        ways = slice(middle), slice(middle, None)
        for part, half in zip(ways, halves(asker, middle, count), strict=True):
            ids = whole.serial, places[part]
            traces = None
            if isinstance(whole, TracedChecks) and whole.traces:
                traces = traces_at(whole.traces, range(count)[part])
            if not self.ask(whole.checks[part], whole.hops, budget, half, ids, traces):
                half.unanswered(None)
        return True

    async def inquire(
        self, question: Callable[[int], Inquiry], budget: float
    ) -> InquiryAnswer | None:
        """Return the answer to a question of that id; None if there is none.

        At once where the other side is of an older release, and isn't asked.
        """
        if not self._health.takes_checks:
            return None
        number, answer = self.pose(question)
        try:
            await asyncio.wait((answer,), timeout=budget)
            return answer.result() if answer.done() else None  # also one that our loop read late
        finally:
            self.withdraw(number)

    def pose(self, question: Callable[[int], Inquiry]) -> Posed:
        """Ask; return the number and the answer to come. Whoever asks has to withdraw it."""
        self._last_id = number = self._last_id + 1
        answer: asyncio.Future[InquiryAnswer | None] = self._loop.create_future()
        self._inquiries[number] = answer
        self._pose(number, question(number))
        return number, answer

    def withdraw(self, number: int) -> None:
        """Forget a question that was answered, or isn't waited for any more."""
        del self._inquiries[number]
        self._waiting.pop(number, None)

    def told(self, answer: InquiryAnswer) -> None:
        """Hand over the answer to an inquiry; a late one is for nobody."""
        self._settle(answer.id, answer)

    def _settle(self, number: int, answer: InquiryAnswer | None) -> None:
        asked = self._inquiries.get(number)
        if asked and not asked.done():
            asked.set_result(answer)

    def _pose(self, number: int, question: Inquiry) -> None:
        connection = self._connection
        if connection is None:
            self._waiting[number] = question
        elif connection.lacks(type(question)):
            self._settle(number, None)
        else:
            connection.send(question)

    # --- the connection

    def on_connected(self, connection: Connection) -> None:
        """Send what waited for a connection, and from now on at once."""
        self._connection = connection
        for number, waiting in self._waiting.items():
            if isinstance(waiting, bytes):
                connection.write(waiting)
            else:
                self._pose(number, waiting)
        self._waiting.clear()

    def on_disconnected(self, now: float) -> None:
        """Tell all who asked that there is no answer, and have who asks next wait."""
        self._connection = None
        self._waiting.clear()
        for answer in self._inquiries.values():
            if not answer.done():
                answer.set_result(None)
        self._flights.give_up(self._flights.take_all(now).values())

    def stop(self) -> None:
        """Look after deadlines no more: nothing will be asked."""
        if self._timer is not None:
            self._timer.cancel()

    # --- deadlines

    def _wake_at(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(at, self._wake)

    def _wake(self) -> None:
        now = self._loop.time()
        at, overdue = self._flights.wake(now)
        if at < inf:
            self._timer = self._loop.call_at(at, self._wake)
        if overdue:
            for number in overdue:
                self._waiting.pop(number, None)
            if self._flights.is_silent(now):
                self._silent(now)
            self._flights.give_up(overdue.values())
