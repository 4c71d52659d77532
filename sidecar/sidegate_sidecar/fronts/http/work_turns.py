"""Turns: which connection may have a piece of its work done next. Pure."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

Worker = TypeVar("Worker", bound=Hashable)


class WorkTurns(Generic[Worker]):
    """Workers that wait for their turn, each once. Their places take turns: one of each.

    So whoever has many connections waits for them, and not whoever has one. Of a place it is now
    the last that came, now the first: where more come than are served, some are served soon enough
    to be of use, and none waits for ever.
    """

    def __init__(self) -> None:
        self._places: dict[str, dict[Worker, None]] = {}  # whose turn is next comes first
        self._last_first = True

    def __bool__(self) -> bool:
        return bool(self._places)

    def add(self, worker: Worker, place: str) -> None:
        """Have a worker wait, if it doesn't yet."""
        self._places.setdefault(place, {})[worker] = None

    def remove(self, worker: Worker, place: str) -> None:
        """Have a worker wait no more, if it does."""
        workers = self._places.get(place, {})
        workers.pop(worker, None)
        if not workers:
            self._places.pop(place, None)

    def next(self) -> Worker:
        """Return whose turn it is, and have it wait no more; there must be one."""
        place = next(iter(self._places))
        workers = self._places.pop(place)
        self._last_first = not self._last_first
        worker = next(reversed(workers) if self._last_first else iter(workers))
        del workers[worker]
        if workers:
            self._places[place] = workers
        return worker
