"""Who is told when a test moves the time of buckets that are kept in this process."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final
from weakref import WeakSet

from sidegate.forks import begins_in_children

if TYPE_CHECKING:
    from typing import Protocol

    class Watching(Protocol):
        """What waits by a clock that isn't moved."""

        def time_moved(self) -> None:
            """Called from any thread when buckets are fuller than they were, at once."""
            ...


class Moves:
    """Tells all that live and watch; for any number of threads."""

    def __init__(self) -> None:
        begins_in_children(self)
        self._watching: WeakSet[Watching] = WeakSet()
        self._lock = threading.Lock()

    def watch(self, watching: Watching) -> None:
        """Tell it from now on, as long as it lives."""
        with self._lock:
            self._watching.add(watching)

    def moved(self) -> None:
        """Tell all."""
        with self._lock:
            told = list(self._watching)
        for watching in told:
            watching.time_moved()

    def begin_child(self) -> None:
        """Begin in a forked process, where nobody waits yet, and the lock may be held for ever."""
        self._lock, self._watching = threading.Lock(), WeakSet()


MOVES: Final = Moves()
"""Of the process, as are the buckets that a test moves."""
