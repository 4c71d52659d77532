"""A parting: a connection that was left for another one, until what was asked on it is answered."""

from __future__ import annotations

import asyncio
from math import inf
from typing import TYPE_CHECKING

from sidegate.protocol.messages import Answers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sidegate.link.connection import Connection
    from sidegate.link.in_flight import Flight, InFlight
    from sidegate.protocol.messages import Message


class Parting:
    """Takes over a connection and what is in flight on it, and closes it when the last has landed.

    Each frame that hasn't landed by its deadline gets no answer. `settled` is told how many
    checks have got theirs, or get none.
    """

    def __init__(
        self, connection: Connection, flights: InFlight, settled: Callable[[int], None]
    ) -> None:
        self._connection = connection
        self._flights = flights
        self._settled = settled
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        connection.hand_to(self)
        self._wake()

    @property
    def is_over(self) -> bool:
        """Is the connection closed?"""
        return self._connection.closed.is_set()

    def _wake(self) -> None:
        at, overdue = self._flights.wake(self._loop.time())
        if at < inf:
            self._timer = self._loop.call_at(at, self._wake)
        self._give_up(overdue.values())
        if not self._flights.open:
            self._connection.close()

    def _give_up(self, flights: Iterable[Flight]) -> None:
        self._settled(sum(flight.left for flight in flights))
        self._flights.give_up(flights)

    # --- what the connection tells

    def on_connected(self, connection: Connection) -> None:
        """Do nothing: it has been up all along."""

    def on_message(self, connection: Connection, message: Message) -> None:
        """Hand over answers; nothing else that is said here matters any more."""
        if isinstance(message, Answers):
            self._settled(self._flights.land(message))
            if not self._flights.open:
                connection.close()

    def on_disconnected(self, connection: Connection, error: Exception | None) -> None:  # noqa: ARG002
        """Give up what is left."""
        self._end()

    def _end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._give_up(self._flights.take_all(self._loop.time()).values())

    def abort(self) -> None:
        """Cut the connection in this very turn; what hasn't landed gets no answer."""
        self._end()
        self._connection.abort()

    async def close(self) -> None:
        """Close the connection now; what hasn't landed gets no answer."""
        self._end()
        self._connection.close()
        await self._connection.closed.wait()


class Partings:
    """All connections that one link has left: few, since each lasts one budget at most."""

    def __init__(self, settled: Callable[[int], None]) -> None:
        self._settled = settled
        self._all: list[Parting] = []

    def add(self, connection: Connection, flights: InFlight) -> None:
        """Take over a connection and what is in flight on it."""
        self._all = [parting for parting in self._all if not parting.is_over]
        self._all.append(Parting(connection, flights, self._settled))

    def abort(self) -> None:
        """Cut all in this very turn."""
        for parting in self._all:
            parting.abort()

    async def close(self) -> None:
        """Close all now."""
        for parting in self._all:
            await parting.close()
