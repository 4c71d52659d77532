"""Freeing: a lock under which something is freed, by whoever may hold that lock already.

Python's collector may end a block anywhere, as that of a generator that nobody has read to its end:
also in a thread that holds the lock. Waiting for it there would be waiting for ever.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Freeing(Generic[T]):
    """A lock, to be held by `with`; `free` is called under it, and may not raise."""

    def __init__(self, free: Callable[[T], None]) -> None:
        self._free = free
        self.begin_child()

    def begin_child(self) -> None:
        """Begin in a forked process, where the lock may be held for ever."""
        self._lock = threading.Lock()
        self._left: deque[T] = deque()

    def free(self, what: T) -> None:
        """Free something: at once, or as soon as who holds the lock lets go of it."""
        self._left.append(what)
        self._free_left()

    def _free_left(self) -> None:
        while self._left and self._lock.acquire(blocking=False):
            try:
                while self._left:
                    self._free(self._left.popleft())
            finally:
                self._lock.release()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()
        self._free_left()
