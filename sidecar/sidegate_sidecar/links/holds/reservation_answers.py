"""Reservation answers: what apps, fronts and nodes ask about reservations, so many at a time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from sidegate.buckets.limits import known_limits
from sidegate.protocol.codec import WireError
from sidegate.protocol.holds.reservation_messages import Commit, Reserve, Reserved
from sidegate.protocol.messages import NOBODY
from sidegate_sidecar.links.answering import is_node

if TYPE_CHECKING:
    from sidegate.buckets.limits import Limits
    from sidegate.link.connection import Connection
    from sidegate_sidecar.node.holds.reservations import Reservations

MAX_ASKED: Final = 4_096  # at a time, of all; each takes one budget at most


class ReservationAnswers:
    """Answers Reserve and Commit. Of limits that are new, one is read in a turn of the loop."""

    def __init__(self, reservations: Reservations) -> None:
        self._reservations = reservations
        self._tasks: set[asyncio.Task[None]] = set()
        self._gate = asyncio.Lock()

    def ask(self, connection: Connection, message: Reserve | Commit) -> None:
        """Answer one soon; one too many at once, that nobody can be asked. WireError for a lie."""
        is_forwarded = isinstance(message, Reserve) and message.serial > 0
        if (is_forwarded or message.hops) and not is_node(connection):
            raise WireError("bad-message", "a serial and hops are of what a node forwards")
        if len(self._tasks) >= MAX_ASKED:
            connection.send(Reserved(message.id, NOBODY, "", [0]))
            return
        task = asyncio.get_running_loop().create_task(self._answer(connection, message))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, connection: Connection, message: Reserve | Commit) -> None:
        answer = await self.answer(message)
        if not connection.transport.is_closing():
            connection.send(answer)

    async def answer(self, message: Reserve | Commit) -> Reserved:
        """Return what has become of a reservation."""
        if isinstance(message, Commit):
            return await self._reservations.commit(message)
        if known_limits(message.limits) is None:
            async with self._gate:
                await asyncio.sleep(0)
        return await self._reservations.reserve(message)

    def of_nothing(self, key: str, limits: Limits) -> str:
        """Return an id under which nothing is held: what is committed by it is charged."""
        return self._reservations.of_nothing(key, limits)
