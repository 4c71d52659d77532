"""Care: which owner looks after which leaf. Pure; times in seconds.

A leaf is never on the ring, so nothing is lost with it, and no leaf has to know another. Each has
one keeper among the owners, which all nodes work out alike from the names. It pings its keeper, and
nobody else; a keeper that hasn't heard of a leaf for two of these pings probes it, as it would an
owner, and passes on what there is to know of owners. So a leaf sends as much in a fleet of a
thousand as in one of ten, and an owner as much for each leaf of its share.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from zlib import crc32

from sidegate_ring.membership.messages import OWNER

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sidegate_ring.membership.members import Member, Members


def keeper_of(leaf: str, owners: Sequence[str]) -> str:
    """Return which of these owners, in the order of their names, keeps a leaf; "" of none."""
    return owners[crc32(leaf.encode()) % len(owners)] if owners else ""


class Care:
    """The leaves that one node keeps and when each was heard last, or the keeper of a leaf."""

    __slots__ = ("_changes", "_heard", "_is_owner", "_known", "_me", "keeper")

    def __init__(self, me: Member, known: Members) -> None:
        self.keeper = ""  # of this node, if it is a leaf
        self._me = me
        self._known = known
        self._heard: dict[str, float] = {}
        self._changes = -1
        self._is_owner: bool = False

    @property
    def leaves(self) -> Iterable[str]:
        """Return the leaves that this node keeps."""
        return self._heard

    @property
    def keeps_all(self) -> bool:
        """Do all owners know of leaves, so that no leaf has to know another?"""
        owners = [it for it in self._known.core.values() if it.owner]
        return bool(owners) and all(it.role for it in owners)

    def hear(self, name: str, now: float) -> None:
        """Called when a node has spoken."""
        if name in self._heard:
            self._heard[name] = now

    def silent(self, since: float) -> list[str]:
        """Return the leaves of ours that haven't been heard since then."""
        return [name for name, at in self._heard.items() if at < since]

    def extend(self, seconds: float) -> None:
        """Give all of them that much more time: we weren't there to hear them."""
        self._heard = {name: at + seconds for name, at in self._heard.items()}

    def look(self, now: float) -> None:
        """Find out who keeps whom by now; costs nothing while no node comes, goes or changes."""
        is_owner = self._me.owner and self._me.living
        if self._changes == self._known.changes and is_owner == self._is_owner:
            return
        self._changes, self._is_owner = self._known.changes, is_owner
        owners = self._owners()
        if self._me.is_leaf:
            self.keeper = keeper_of(self._me.name, owners)
            return
        mine = [it for it in self._known.leaves if keeper_of(it, owners) == self._me.name]
        self._heard = {name: self._heard.get(name, now) for name in mine}

    def _owners(self) -> list[str]:
        """Return the owners that know of leaves: those of older releases keep none."""
        members = [self._me, *self._known.core.values()]
        return sorted(it.name for it in members if it.owner and it.role.startswith(OWNER))
