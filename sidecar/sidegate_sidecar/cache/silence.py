"""Silence: which nodes are asked nothing for a while, since they gave no answer. Pure.

So a node that hangs costs an app one budget, and not one for each key.
"""

from __future__ import annotations

from typing import Protocol

from sidegate.buckets.limits import SECOND

PAUSE = SECOND // 2  # ns


class Neighbours(Protocol):
    """The other nodes."""

    def is_up(self, name: str) -> bool:
        """Tell if a node can be sent something."""
        ...

    def doubt(self, name: str) -> None:
        """Have others see whether a node is there, which doesn't answer."""


class Silence:
    """The nodes that are silent. `patience` (ns) is for an answer that needs no waiting."""

    def __init__(self, around: Neighbours, patience: int) -> None:
        self.patience = patience
        self._around = around
        self._until: dict[str, int] = {}
        self._heard: dict[str, int] = {}

    def can_ask(self, name: str, now: int) -> bool:
        """May a node be asked now?"""
        return bool(name) and self._around.is_up(name) and self._until.get(name, 0) <= now

    def noted(self, name: str, asked_at: int, now: int) -> None:
        """Called when a node gave no answer in time. One that has spoken since is there."""
        if self._until.get(name, 0) <= now and self._heard.get(name, -1) < asked_at:
            self._until[name] = now + PAUSE
            self._around.doubt(name)

    def broken(self, name: str, now: int) -> None:
        """Called when a node has spoken."""
        self._heard[name] = now
        self._until.pop(name, None)

    def left(self, name: str) -> None:
        """Called when the link to a node broke."""
        self._heard.pop(name, None)
        self._until.pop(name, None)
