"""Resets: which keys were reset, and which other nodes have heard of it. Pure.

A reset makes a bucket full, and of two copies of a bucket the larger debt counts. So a node that
was away would bring the old debt back. Therefore each reset is remembered, and told to every node
that is met; until that one says that it knows, what it says of the key doesn't count.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sidegate.buckets.limits import SECOND
from sidegate.protocol.messages import Resets

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sidegate.protocol.messages import KeyReset

MAX_RESETS = 10_000
"""Remembered at a time: what a script of an operator does, 7 MB with the longest keys. Beyond it
the oldest are forgotten, and hold on the nodes that have heard of them."""
LASTS = 600 * SECOND  # ns at least: as long as a node that is away is remembered
RESETS_A_MESSAGE = 200  # in a message: 0.1 ms for each side
SWEEP_EVERY = 10 * SECOND  # ns between two looks for what is past: a look takes a millisecond


class KnownReset(NamedTuple):
    """A key that was reset, remembered until no copy of its buckets can be in debt (ns)."""

    key: str
    until: int


class _Hearer:
    """What another node hasn't heard of: keys by the numbers of their resets."""

    __slots__ = ("flying", "message", "sent_at", "unheard")

    def __init__(self, unheard: dict[int, str]) -> None:
        self.unheard = unheard
        self.flying: list[int] = []
        self.message = 0
        self.sent_at = 0


class KnownResets:
    """The resets that this node knows of, each by a number that no other has."""

    def __init__(self) -> None:
        self._known: dict[int, KnownReset] = {}  # the oldest first
        self._hearers: dict[str, _Hearer] = {}
        self._swept_at = 0

    def __len__(self) -> int:
        return len(self._known)

    def add(self, number: int, reset: KnownReset, by: str = "") -> bool:
        """Remember a reset, told by a node if not done here; False if it was known."""
        if (hearer := self._hearers.get(by)) is not None:
            hearer.unheard.pop(number, None)
        if number in self._known:
            return False
        if len(self._known) >= MAX_RESETS:
            self._forget(next(iter(self._known)))
        self._known[number] = reset
        for name, other in self._hearers.items():
            if name != by:
                other.unheard[number] = reset.key
        return True

    def _forget(self, number: int) -> None:
        del self._known[number]
        for hearer in self._hearers.values():
            hearer.unheard.pop(number, None)

    def tick(self, now: int) -> None:
        """Forget what is past."""
        if now - self._swept_at >= SWEEP_EVERY:
            self._swept_at = now
            for number in [it for it, reset in self._known.items() if reset.until <= now]:
                self._forget(number)

    def left(self, now: int) -> list[KeyReset]:
        """Return all that are remembered, each with the ns for which it still will be."""
        return [(number, it.key, it.until - now) for number, it in self._known.items()]

    # --- the others

    def on_connected(self, name: str) -> None:
        """Tell a node everything; called when there is a link to it, whoever it was before."""
        if name not in self._hearers:
            known = {number: reset.key for number, reset in self._known.items()}
            self._hearers[name] = _Hearer(known)

    def on_disconnected(self, name: str) -> None:
        """Tell a node nothing until it is met again: it may be another life of it then."""
        self._hearers.pop(name, None)

    def is_deaf(self, name: str) -> bool:
        """Is there something that a node hasn't heard of?"""
        hearer = self._hearers.get(name)
        return hearer is not None and bool(hearer.unheard)

    @property
    def hearers(self) -> Iterable[str]:
        """Return the nodes that haven't heard of everything."""
        return [name for name, hearer in self._hearers.items() if hearer.unheard]

    def unheard(self, name: str) -> set[str]:
        """Return the keys of which a node doesn't know, or hasn't said so, that they were reset."""
        if not self._known:
            return set()
        hearer = self._hearers.get(name)
        if hearer is None:
            return {reset.key for reset in self._known.values()}
        return set(hearer.unheard.values())

    def is_due(self, name: str) -> bool:
        """Is there something to tell a node, and nothing on its way to it?"""
        hearer = self._hearers.get(name)
        return hearer is not None and bool(hearer.unheard) and not hearer.flying

    def take(self, name: str, number: int, now: int) -> Resets:
        """Return the next message to a node; called when one is due."""
        hearer = self._hearers[name]
        hearer.flying = list(hearer.unheard)[:RESETS_A_MESSAGE]
        hearer.message, hearer.sent_at = number, now
        rows = [(it, self._known[it].key, self._known[it].until - now) for it in hearer.flying]
        return Resets(number, [(it, key, max(left, 0)) for it, key, left in rows])

    def landed(self, name: str, number: int) -> None:
        """Called when a node knows of what a message told."""
        hearer = self._hearers.get(name)
        if hearer is not None and hearer.flying and hearer.message == number:
            for it in hearer.flying:
                hearer.unheard.pop(it, None)
            hearer.flying = []

    def give_back(self, now: int, after: int) -> None:
        """Have what got no answer for `after` ns told again."""
        for hearer in self._hearers.values():
            if now - hearer.sent_at >= after:
                hearer.flying = []
