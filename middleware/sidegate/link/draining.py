"""A parting: a connection that was left for another one, until what was asked on it is answered."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sidegate.protocol.messages import Answers

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidegate.link.connection import Connection
    from sidegate.link.flight import Flight
    from sidegate.protocol.messages import Message

_GRACE = 0.001  # seconds: a loop that was busy reads what is already there before it gives up


class Parting:
    """Takes over a connection and its flights by number, and closes it when the last has landed.

    Each flight that hasn't landed by its deadline gets no answer. `settled` is told how many
    checks have got theirs, or get none.
    """

    def __init__(
        self, connection: Connection, flights: dict[int, Flight], settled: Callable[[int], None]
    ) -> None:
        self._connection = connection
        self._flights = flights
        self._settled = settled
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        connection.hand_to(self)
        self._close_or_wait()

    @property
    def is_over(self) -> bool:
        """Is the connection closed?"""
        return self._connection.closed.is_set()

    def _close_or_wait(self) -> None:
        if self._flights:
            deadline = min(flight.deadline for flight in self._flights.values())
            self._timer = self._loop.call_at(deadline, self._read_then_expire)
        else:
            self._connection.close()

    def _read_then_expire(self) -> None:
        self._timer = self._loop.call_later(_GRACE, self._expire)

    def _expire(self) -> None:
        now = self._loop.time()
        for number in [at for at, flight in self._flights.items() if flight.deadline <= now]:
            self._give_up(self._flights.pop(number))
        self._close_or_wait()

    def _give_up(self, flight: Flight) -> None:
        self._settled(flight.left)
        flight.crash()

    # --- what the connection tells

    def up(self, connection: Connection) -> None:
        """Do nothing: it has been up all along."""

    def message(self, connection: Connection, message: Message) -> None:
        """Hand over answers; nothing else that is said here matters any more."""
        if not isinstance(message, Answers) or message.id not in self._flights:
            return
        flight = self._flights[message.id]
        self._settled(flight.land(message))
        if not flight.left:
            del self._flights[message.id]
            if not self._flights:
                connection.close()

    def lost(self, connection: Connection, error: Exception | None) -> None:  # noqa: ARG002
        """Give up what is left."""
        self._end()

    def _end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        while self._flights:
            self._give_up(self._flights.popitem()[1])

    def abort(self) -> None:
        """Cut the connection in this very turn; what hasn't landed gets no answer."""
        self._end()
        self._connection.abort()

    async def close(self) -> None:
        """Close the connection now; what hasn't landed gets no answer."""
        self._end()
        self._connection.close()
        await self._connection.closed.wait()
