"""Pulling: what this node has asked others for, and from whom it still waits for it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate.protocol.messages import Part, Pull
from sidegate_sidecar.replication.outgoing.outbox import RESEND_AFTER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class Pulling:
    """One question, asked of many. `usable` says whether a node can be reached; `now` is in ns."""

    def __init__(self, usable: Callable[[str], bool]) -> None:
        self.waiting: set[str] = set()  # nodes that we asked for our part, and that aren't done
        self.missed: set[str] = set()  # those of them that broke off
        self._part = Part.REST  # that was asked for last
        self._usable = usable
        self._number = 0
        self._since: int | None = None  # when something came of it last; None before a tick

    def ask(self, names: Iterable[str], part: Part, number: int) -> list[tuple[str, Pull]]:
        """Ask the nodes that can be reached for a part of what will be ours."""
        self._number = number
        self._part = part
        self._since = None
        self.missed.clear()
        self.waiting = {name for name in names if self._usable(name)}
        return self._questions()

    def ask_also(self, name: str) -> list[tuple[str, Pull]]:
        """Ask one more, that could not be reached when the others were asked."""
        self.missed.discard(name)
        self.waiting.add(name)
        return [(name, Pull(self._number, self._part))]

    def ask_again(self, now: int) -> list[tuple[str, Pull]]:
        """Ask again those from whom nothing has come for long, on a link that didn't break."""
        since = now if self._since is None or not self.waiting else self._since
        due = now - since >= RESEND_AFTER
        self._since = now if due else since
        return self._questions() if due else []

    def _questions(self) -> list[tuple[str, Pull]]:
        return [(name, Pull(self._number, self._part)) for name in sorted(self.waiting)]

    @property
    def left(self) -> Part:
        """What is left to ask for: all, while somebody who was asked for all hasn't sent it."""
        is_done = not (self.missed or self.waiting)
        return Part.REST if is_done or self._part is not Part.ALL else Part.ALL

    def came(self, now: int) -> None:
        """Called when buckets have come."""
        self._since = now

    def answered(self, name: str, number: int) -> bool:
        """Called when a node has sent what it was asked for; tell if that was all that is ours."""
        if number != self._number:
            return False  # it was asked for before this
        self.waiting.discard(name)
        return self._part is Part.ALL

    def on_disconnected(self, name: str) -> None:
        """Expect nothing from a node any more."""
        if name in self.waiting:
            self.waiting.discard(name)
            self.missed.add(name)
