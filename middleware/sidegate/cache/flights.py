"""Flights: a function runs once in a process at a time for each key; others wait for its value."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from sidegate.forks import begins_in_children

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Generator, Iterable
    from typing import TypeAlias

    Loop: TypeAlias = asyncio.AbstractEventLoop


class Interrupted(Exception):  # noqa: N818  # named for what happened
    """Who ran the function was ended before it had a value: another one has to."""


class KeyFlight(Future[Any]):
    """A function that runs, and the value that comes of it."""

    def __init__(self) -> None:
        super().__init__()
        self.waits_for: list[KeyFlight] = []


_NONE = (None, None)
_ABOARD: ContextVar[tuple[KeyFlight, ...]] = ContextVar("aboard", default=())
"""The flights whose functions we are called by, of any cache."""


@contextmanager
def aboard(flight: KeyFlight) -> Generator[None]:
    """Note that a function runs for a flight."""
    token = _ABOARD.set((*_ABOARD.get(), flight))
    try:
        yield
    finally:
        _ABOARD.reset(token)


@contextmanager
def waiting(flight: KeyFlight) -> Generator[bool]:
    """Note that we wait for a flight; would so a function that we are called by wait for itself?

    It does if it asks for its own key, or for one whose function waits for it.
    """
    callers = _ABOARD.get()
    if not callers:
        yield False
        return
    waits_for = callers[-1].waits_for
    waits_for.append(flight)  # before looking: of two that do this at once, one sees the other
    try:
        yield _leads_to(flight, callers)
    finally:
        waits_for.remove(flight)


def _leads_to(flight: KeyFlight, callers: tuple[KeyFlight, ...]) -> bool:
    seen: set[KeyFlight] = set()
    ahead = [flight]
    while ahead:
        one = ahead.pop()
        if one in callers:
            return True
        if one not in seen:
            seen.add(one)
            ahead.extend(one.waits_for)
    return False


class Flights:
    """The functions that run for one cache, in any threads and event loops of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._flights: dict[str, tuple[KeyFlight, Loop | None]] = {}
        begins_in_children(self)

    def begin_child(self) -> None:
        """Begin anew in a forked process: who ran them isn't there."""
        self._lock = threading.Lock()
        self._flights = {}

    def join(self, key: str, loop: Loop | None = None) -> tuple[KeyFlight, bool]:
        """Return the flight of a key, and whether it is the caller's own to land, in its loop.

        A loop that was closed under way lands nothing.
        """
        with self._lock:
            under_way = self._flights.get(key)
            if under_way is not None and not (under_way[1] and under_way[1].is_closed()):
                return under_way[0], False
            flight = KeyFlight()
            self._flights[key] = flight, loop
        if under_way is not None:
            under_way[0].set_exception(Interrupted())
        return flight, True

    def land(self, key: str, flight: KeyFlight, value: Any) -> None:
        """Give the value to all who wait."""
        self._end(key, flight)
        if not flight.done():
            flight.set_result(value)

    def crash(self, key: str, flight: KeyFlight, error: BaseException) -> None:
        """Give the error to all who wait."""
        self._end(key, flight)
        if not flight.done():
            flight.set_exception(error if isinstance(error, Exception) else Interrupted())

    def cancel(self, key: str, flight: KeyFlight) -> None:
        """Have all who wait cancelled, as the function was by what it called."""
        self._end(key, flight)
        flight.cancel()

    def forget(self, keys: Iterable[str] | None = None) -> None:
        """Have nobody else wait for the flights of these keys, or for any: they are out of date."""
        with self._lock:
            for key in list(self._flights) if keys is None else keys:
                self._flights.pop(key, None)

    def _end(self, key: str, flight: KeyFlight) -> None:
        with self._lock:
            if self._flights.get(key, _NONE)[0] is flight:
                del self._flights[key]
