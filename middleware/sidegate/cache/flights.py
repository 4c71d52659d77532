"""Flights: a function runs once in a process at a time for each key; others wait for its value."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from sidegate.forks import begins_in_children

if TYPE_CHECKING:
    import asyncio
    from typing import TypeAlias

    Flight: TypeAlias = Future[Any]
    Loop: TypeAlias = asyncio.AbstractEventLoop


class Interrupted(Exception):  # noqa: N818  # named for what happened
    """Who ran the function was ended before it had a value: another one has to."""


_NONE = (None, None)


class Flights:
    """The functions that run for one cache, in any threads and event loops of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._flights: dict[str, tuple[Flight, Loop | None]] = {}
        begins_in_children(self)

    def begin_child(self) -> None:
        """Begin anew in a forked process: who ran them isn't there."""
        self._lock = threading.Lock()
        self._flights = {}

    def join(self, key: str, loop: Loop | None = None) -> tuple[Flight, bool]:
        """Return the flight of a key, and whether it is the caller's own to land, in its loop.

        A loop that was closed under way lands nothing.
        """
        with self._lock:
            under_way = self._flights.get(key)
            if under_way is not None and not (under_way[1] and under_way[1].is_closed()):
                return under_way[0], False
            flight: Flight = Future()
            self._flights[key] = flight, loop
        if under_way is not None:
            under_way[0].set_exception(Interrupted())
        return flight, True

    def land(self, key: str, flight: Flight, value: Any) -> None:
        """Give the value to all who wait."""
        self._end(key, flight)
        if not flight.done():
            flight.set_result(value)

    def crash(self, key: str, flight: Flight, error: BaseException) -> None:
        """Give the error to all who wait."""
        self._end(key, flight)
        if not flight.done():
            flight.set_exception(error if isinstance(error, Exception) else Interrupted())

    def _end(self, key: str, flight: Flight) -> None:
        with self._lock:
            if self._flights.get(key, _NONE)[0] is flight:
                del self._flights[key]
