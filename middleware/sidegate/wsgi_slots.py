"""The slots that one request of a WSGI app holds, until its response is closed."""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Protocol, Self, runtime_checkable

from sidegate.errors import NoSlot, shown


@runtime_checkable
class GivesThreadSlots(Protocol):
    """A client of threads that has slots."""

    def slot(self, key: str, at_most: int, /) -> AbstractContextManager[object]:
        """Return one of at most so many slots of a key."""
        ...


def require_thread_slots(client: object) -> GivesThreadSlots:
    """Return a client that gives slots; ValueError for one that doesn't."""
    if isinstance(client, GivesThreadSlots):
        return client
    raise ValueError(f"client={shown(client)}: expected one with slot(), for rules with in_flight")


class WSGISlots:
    """The slots that one request holds, until its response is closed."""

    def __init__(self, client: object) -> None:
        self._client = client
        self._held: list[AbstractContextManager[object]] = []

    def take(self, key: str, at_most: int) -> NoSlot | None:
        """Take one; return why there is none."""
        slot = require_thread_slots(self._client).slot(key, at_most)
        try:
            slot.__enter__()
        except NoSlot as missed:
            return missed
        self._held.append(slot)
        return None

    def until_closed(self, response: Iterable[bytes]) -> Iterable[bytes]:
        """Return a response at whose end they are free, if there are any."""
        if not self._held:
            return response
        held, self._held = self._held, []
        return _Holding(response, held)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        free(self._held)


class _Holding:
    """A response that holds slots until the server closes it."""

    def __init__(
        self, response: Iterable[bytes], held: list[AbstractContextManager[object]]
    ) -> None:
        self._response = response
        self._held = held

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._response)

    def close(self) -> None:
        """Close the app's response, and free the slots."""
        try:
            if close := getattr(self._response, "close", None):
                close()
        finally:
            free(self._held)


def free(held: list[AbstractContextManager[object]]) -> None:
    """Give back what is held."""
    while held:
        held.pop().__exit__(None, None, None)
