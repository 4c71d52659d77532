"""Turns: which of those that wait is served next, and that no origin has too many. Pure."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

Item = TypeVar("Item", bound=Hashable)


class Turns(Generic[Item]):
    """A queue in which each origin has one turn before any has two.

    Who came last is served first: when more come than can be served, an old one has waited so long
    that it is about to give up, and in first-come order nobody would be served in time.
    """

    def __init__(self) -> None:
        self._waiting: OrderedDict[str, dict[Item, None]] = OrderedDict()  # who is next stands last
        self._origins: dict[Item, str] = {}

    def __len__(self) -> int:
        return len(self._origins)

    def add(self, item: Item, origin: str) -> None:
        """Have one wait."""
        self._origins[item] = origin
        self._waiting.setdefault(origin, {})[item] = None

    def discard(self, item: Item) -> None:
        """Have one wait no more, if it does."""
        origin = self._origins.pop(item, None)
        if origin is not None:
            self._take(origin, item)

    def next(self) -> Item | None:
        """Take out the one to serve now, None if nobody waits."""
        if not self._waiting:
            return None
        origin = next(reversed(self._waiting))
        item = next(reversed(self._waiting[origin]))
        del self._origins[item]
        self._take(origin, item)
        if origin in self._waiting:  # behind all others now
            self._waiting.move_to_end(origin, last=False)
        return item

    def _take(self, origin: str, item: Item) -> None:
        items = self._waiting[origin]
        del items[item]
        if not items:
            del self._waiting[origin]
