"""Targets: which nodes are to be sent a copy of a bucket when the ring has changed. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TypeAlias

    from sidegate_ring.hashring import Ring

    Pair: TypeAlias = tuple[str, str]  # owner and backup


@dataclass(slots=True)
class Move:
    """A change of the ring, seen by a node that holds buckets.

    Of the nodes that weren't on the ring all the time, some `asked` for all that they own, and
    have it; others were just `added`, and have nothing. Those `away` can't be reached, and may be
    dead: nothing is left to them.
    """

    me: str
    before: Ring
    ring: Ring
    asked: frozenset[str] = frozenset()
    added: frozenset[str] = frozenset()
    away: frozenset[str] = frozenset()
    _known: dict[tuple[Pair, Pair], tuple[str, ...]] = field(
        init=False, default_factory=dict["tuple[Pair, Pair]", "tuple[str, ...]"]
    )

    def heirs(self, key: str) -> tuple[str, ...]:
        """Return the nodes that should hold a bucket, may lack it, and are to have our copy."""
        return self.heirs_at(self.ring.place(key))

    def heirs_at(self, place: int) -> tuple[str, ...]:
        """Return the heirs of a bucket whose key has that place on the circle.

        There are few answers to a million questions, so each is thought out once.
        """
        pairs = self.before.pair_at(place), self.ring.pair_at(place)
        found = self._known.get(pairs)
        if found is None:
            found = self._known[pairs] = self._heirs(*pairs)
        return found

    def _heirs(self, held: Pair, pair: Pair) -> tuple[str, ...]:
        """Return the heirs of a bucket that one pair of nodes held and another is to hold.

        One holder sees to it that the new owner and the new backup have one: the owner if it had
        one before, else the old owner, else the old backup. Nobody waits for what another is to
        send: who walks may be done by the time it comes.
        """
        me = self.me
        was_owner = held[0]
        owner, backup = pair
        if owner == me:
            had_it = backup == was_owner or held == pair
            return () if not backup or (had_it and not self._is_new(backup)) else (backup,)
        if me == backup and me not in held and owner in held and self._is_lost(held, owner):
            # That one has lost who held it too, and may lack what we have: from when we were the
            # backup, or from one that decided while that owner was away, and died before it woke.
            return (owner,)
        if owner in held and not self._lacks(owner):
            return ()  # that one sees to it
        has_it = owner in self.asked or (owner in held and not self._is_new(owner))
        lacking = [] if has_it else [owner]
        if backup not in held or self._is_new(backup):
            lacking.append(backup)
        first = next((it for it in held if it in self.ring and not self._lacks(it)), me)
        if me in {first, was_owner}:
            return tuple(name for name in lacking if name not in {me, ""})
        return (owner,) if me == backup and owner in self.added else ()

    def _is_lost(self, held: Pair, owner: str) -> bool:
        """Is the other one of two holders no more, or not to be relied on?"""
        other = held[held[0] == owner]
        return bool(other) and (other not in self.ring or self._lacks(other))

    def _lacks(self, name: str) -> bool:
        """Is a node not to be relied on to send what it held?"""
        return self._is_new(name) or name in self.away

    def _is_new(self, name: str) -> bool:
        return name in self.asked or name in self.added
