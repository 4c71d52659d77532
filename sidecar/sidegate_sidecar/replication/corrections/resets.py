"""Resets: which keys were reset, and which other nodes have heard of it. Pure.

A reset makes a bucket full, and of two copies of a bucket the larger debt counts. So a node that
was away would bring the old debt back. Therefore each reset is remembered, and told to every node
that is met; until that one says that it knows, what it says of the key doesn't count.

A reset of all keys that begin with a text is one that takes its time: a node is to walk through its
buckets (`prefix_walks.py`). It tells others, and says that it knows, when it is done; from when it
begins it believes nobody who hasn't told it that, and sends no bucket to anyone.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from sidegate.buckets.limits import SECOND
from sidegate.protocol.messages import Resets

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sidegate.protocol.messages import KeyReset

MAX_RESETS = 10_000
"""Remembered at a time: what a script of an operator does, 7 MB with the longest keys. Beyond it
the oldest are forgotten, and hold on the nodes that have heard of them."""
MAX_PREFIXES = 100
"""Of these, resets of all keys that begin with a text: each costs a node that comes a walk."""
LASTS = 600 * SECOND  # ns at least: as long as a node that is away is remembered
RESETS_A_MESSAGE = 200  # in a message: 0.1 ms for each side
MUCH_LONGER = 60 * SECOND  # ns: by less nobody remembers a reset for longer, or tells of it again
SWEEP_EVERY = 10 * SECOND  # ns between two looks for what is past: a look takes a millisecond


class KnownReset(NamedTuple):
    """A key that was reset, remembered until no copy of its buckets can be in debt (ns).

    If `begins`, so were all keys that begin with it.
    """

    key: str
    until: int
    begins: bool = False


class KeysOfResets:
    """The keys of some resets."""

    __slots__ = ("_keys", "_prefixes")

    def __init__(self, resets: Iterable[KnownReset] = ()) -> None:
        resets = list(resets)
        self._keys = {reset.key for reset in resets if not reset.begins}
        self._prefixes = tuple(reset.key for reset in resets if reset.begins)

    def __bool__(self) -> bool:
        return bool(self._keys or self._prefixes)

    def __contains__(self, key: object) -> bool:
        return key in self._keys or (isinstance(key, str) and key.startswith(self._prefixes))

    def concerns(self, keys: Iterable[str]) -> bool:
        """May one of these keys be among them?"""
        return bool(self._prefixes) or not self._keys.isdisjoint(keys)


NOTHING = KeysOfResets()


class _Hearer:
    """What another node hasn't heard of: resets by their numbers."""

    __slots__ = ("flying", "message", "sent_at", "unheard")

    def __init__(self, unheard: dict[int, KnownReset]) -> None:
        self.unheard = unheard
        self.flying: list[int] = []
        self.message = 0
        self.sent_at = 0


class KnownResets:
    """The resets that this node knows of, each by a number that no other has."""

    def __init__(self) -> None:
        self._known: dict[int, KnownReset] = {}  # the oldest first
        self._walked: set[int] = set()  # those for which a walk is under way, or still to come
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
        self._make_room(reset)
        self._known[number] = reset
        if reset.begins:
            self._walked.add(number)
        for name, other in self._hearers.items():
            if name != by:
                other.unheard[number] = reset
        return True

    def _make_room(self, reset: KnownReset) -> None:
        prefixes = [it for it, known in self._known.items() if known.begins] if reset.begins else []
        if len(prefixes) >= MAX_PREFIXES:
            self._forget(prefixes[0])
        elif len(self._known) >= MAX_RESETS:
            self._forget(next(iter(self._known)))

    def _forget(self, number: int) -> None:
        del self._known[number]
        self._walked.discard(number)
        for hearer in self._hearers.values():
            hearer.unheard.pop(number, None)

    def __contains__(self, number: int) -> bool:
        return number in self._known

    def is_walked(self, number: int) -> bool:
        """Is a walk for a reset under way, or still to come?"""
        return number in self._walked

    def walked(self, number: int, until: int) -> None:
        """Called when the walk for a reset is over, that is to be remembered for so long at least.

        Others are told of it only now: they may believe again what this node says.
        """
        self._walked.discard(number)
        self.prolong(number, until)

    def prolong(self, number: int, until: int, by: str = "") -> None:
        """Remember a reset for longer, and have others do the same, if it is longer by far."""
        known = self._known.get(number)
        if known is None or until < known.until + MUCH_LONGER:
            return
        self._known[number] = known = known._replace(until=until)
        for name, hearer in self._hearers.items():
            if name != by:
                hearer.unheard[number] = known

    def tick(self, now: int) -> None:
        """Forget what is past."""
        if now - self._swept_at >= SWEEP_EVERY:
            self._swept_at = now
            for number in [it for it, reset in self._known.items() if reset.until <= now]:
                self._forget(number)

    def left(self, now: int, *, begins: bool = False) -> list[KeyReset]:
        """Return all that are remembered, each with the ns for which it still will be.

        Those of keys, or (`begins`) of all keys that begin with a text, if their walk is over.
        """
        return [
            (number, it.key, it.until - now)
            for number, it in self._known.items()
            if it.begins == begins and number not in self._walked
        ]

    # --- the others

    def on_connected(self, name: str) -> None:
        """Tell a node everything; called when there is a link to it, whoever it was before."""
        if name not in self._hearers:
            self._hearers[name] = _Hearer(dict(self._known))

    def on_disconnected(self, name: str) -> None:
        """Tell a node nothing until it is met again: it may be another life of it then."""
        self._hearers.pop(name, None)

    def is_deaf(self, name: str) -> bool:
        """Is there something that a node hasn't heard of, or that this one isn't done with?"""
        hearer = self._hearers.get(name)
        return hearer is not None and bool(hearer.unheard or self._walked)

    @property
    def hearers(self) -> Iterable[str]:
        """Return the nodes that are deaf."""
        return [name for name, it in self._hearers.items() if it.unheard or self._walked]

    def unheard(self, name: str) -> KeysOfResets:
        """Return the keys of which a node doesn't know, or hasn't said so, that they were reset."""
        if not self._known:
            return NOTHING
        hearer = self._hearers.get(name)
        resets = self._known if hearer is None else hearer.unheard
        return KeysOfResets(resets.values()) if resets else NOTHING

    def is_due(self, name: str) -> bool:
        """Is there something to tell a node, and nothing on its way to it?"""
        hearer = self._hearers.get(name)
        if hearer is None or hearer.flying:
            return False
        return any(it not in self._walked for it in hearer.unheard)

    def _to_tell(self, hearer: _Hearer) -> list[int]:
        told = (it for it in hearer.unheard if it not in self._walked)
        return list(islice(told, RESETS_A_MESSAGE))

    def take(self, name: str, number: int, now: int) -> Resets:
        """Return the next message to a node; called when one is due."""
        hearer = self._hearers[name]
        hearer.flying = self._to_tell(hearer)
        hearer.message, hearer.sent_at = number, now
        told = [(it, self._known[it]) for it in hearer.flying]
        rows = [(it, known.key, max(known.until - now, 0)) for it, known in told]
        begins = [known.begins for _, known in told]
        keys = [row for row, prefix in zip(rows, begins, strict=True) if not prefix]
        return Resets(number, keys, [row for row, it in zip(rows, begins, strict=True) if it])

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
