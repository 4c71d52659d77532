"""Inquiries: who waits to hear that it has been sent all that we held of its own. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate.protocol.messages import Confirmed

if TYPE_CHECKING:
    from collections.abc import Callable


class Inquiries:
    """One for each node at most: its latest, by the ring that it had then."""

    def __init__(self) -> None:
        self._ring_of: dict[str, str] = {}

    def add(self, name: str, ring: str) -> None:
        """Called when a node asks, and by which ring."""
        self._ring_of[name] = ring

    def drop(self, name: str) -> None:
        """Owe a node no answer any more."""
        self._ring_of.pop(name, None)

    def answers(
        self, ring: str, has_all: Callable[[str], bool], *, lacks: bool
    ) -> list[tuple[str, Confirmed]]:
        """Return the answers to those who have everything by the ring that is ours too.

        `lacks` says whether we may lack some of it ourselves.
        """
        if not self._ring_of:
            return []
        done = [name for name, it in self._ring_of.items() if it == ring and has_all(name)]
        for name in done:
            del self._ring_of[name]
        return [(name, Confirmed(ring, int(lacks))) for name in done]
